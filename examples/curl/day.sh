#!/bin/sh
# A player's day with nothing but curl: FLEET=http://127.0.0.1:8420 FLEET_KEY=fk_live_… ./day.sh STEAM_ID TRADE_URL
set -eu
STEAM_ID=$1 TRADE_URL=$2
PLAYER="\"user_id\": \"player-$STEAM_ID\", \"steam_id\": \"$STEAM_ID\", \"trade_url\": \"$TRADE_URL\""

# call METHOD PATH [BODY [KEY]]: one call. With a key the same request may be sent again after a lost answer: it is done once.
call() {
    curl -sS --fail-with-body --max-time 65 --retry 4 --retry-connrefused -X "$1" "$FLEET$2" -H "Authorization: Bearer $FLEET_KEY" \
        ${3:+-H "Content-Type: application/json" -d "$3"} ${4:+-H "Idempotency-Key: $4"}
}
# field NAME: the first value of that name in JSON, without the quotes.
field() { grep -o "\"$1\":\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }
# until_status TRADE_ID STATUS: follow a trade.
until_status() {
    until [ "$(call GET "/trade/$1" | field status)" = "$2" ]; do sleep 0.5; done
    echo "trade $2"
}

# What the player has, what it is worth in cents, and what would be taken.
ITEM=$(call POST /inventory "{\"steam_id\": \"$STEAM_ID\"}" | tr '{' '\n' | grep '"acceptable":true' | head -n 1)
echo "item $(echo "$ITEM" | grep -o '"market_hash_name":"[^"]*"\|"value_cents":[0-9]*' | tr '\n' ' ')"

MADE=$(call POST '/deposit?wait=25' "{$PLAYER, \"asset_ids\": [\"$(echo "$ITEM" | field asset_id)\"]}" "deposit-$$-$STEAM_ID")
TRADE=$(echo "$MADE" | field trade_id)
echo "verify $(call POST /verify "{\"token\": \"$(echo "$MADE" | field token)\", \"steam_id\": \"$STEAM_ID\"}" | cut -d , -f 1)"
until_status "$TRADE" settled

MADE=$(call POST '/withdraw?wait=25' "{$PLAYER, \"deposit_ids\": [\"$(echo "$MADE" | field deposit_id)\"]}" "withdraw-$$-$STEAM_ID")
until_status "$(echo "$MADE" | field trade_id)" settled
echo "events $(call GET '/events?after=0&limit=500' | grep -o "\"trade_id\":\"$TRADE\"" | wc -l)"

// What a bot does with steam-session, steamcommunity and steam-tradeoffer-manager, step by step, against the sandbox.
// Reads {control, bot, other, player} (control API's address, credentials and accounts) from standard input and writes one line
// of JSON per step. What the partner does goes through the control API. Ends with status 1 at the first step that fails.
'use strict';

const assert = require('node:assert/strict');
const {once} = require('node:events');
const {promisify} = require('node:util');
const {setTimeout: sleep} = require('node:timers/promises');

const SteamCommunity = require('steamcommunity');
const SteamTotp = require('steam-totp');
const TradeOfferManager = require('steam-tradeoffer-manager');
const {EAuthTokenPlatformType, LoginSession} = require('steam-session');

const {EOfferFilter, EResult, ETradeOfferState, ETradeStatus} = TradeOfferManager;
const steps = [];
let world, community, manager, session;

function step(name, run) {
	steps.push([name, run]);
}

// --- helpers ------------------------------------------------------------------------------------

async function control(method, path, body) {
	const answer = await fetch(world.control + path, {method, body: body && JSON.stringify(body)});
	const text = await answer.text();
	assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
	return text && JSON.parse(text);
}

const act = (who, offer, action) => control('POST', `/control/people/${who.steam_id}/offers/${offer}`, {action});
const send = (who, partner, sides) =>
	control('POST', `/control/people/${who.steam_id}/offers`, Object.assign({partner: partner.steam_id}, sides));
const change = (who, changes) => control('PATCH', `/control/accounts/${who.steam_id}`, changes);

async function stock(who) {
	const {assets} = await control('GET', '/control/record?part=assets');
	return assets.filter((asset) => asset.owner === who.steam_id && asset.context_id === 2 && asset.tradable && !asset.in_escrow);
}

function call(target, method, ...args) {
	return promisify(target[method]).apply(target, args);
}

// Callbacks with several values: the list of them.
function all(target, method, ...args) {
	return new Promise((resolve, reject) => target[method](...args, (err, ...values) => (err ? reject(err) : resolve(values))));
}

async function failure(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	return assert.fail('it should have failed');
}

// A whole poll; the events it brought, by name. The library keeps a second between two polls.
async function poll() {
	const seen = {newOffer: [], sentOfferChanged: [], receivedOfferChanged: [], unknownOfferSent: []};
	const note = Object.keys(seen).map((name) => [name, (offer) => seen[name].push(offer)]);
	note.forEach(([name, listen]) => manager.on(name, listen));
	await sleep(Math.max(0, manager._lastPoll + 1001 - Date.now()));
	const done = once(manager, 'pollSuccess');
	manager.doPoll(true);
	await done;
	note.forEach(([name, listen]) => manager.off(name, listen));
	return seen;
}

function ask(assets) {
	const offer = manager.createOffer(world.player.trade_url);
	assets.forEach((asset) => offer.addTheirItem({appid: 730, contextid: 2, assetid: asset.asset_id}));
	return offer;
}

function give(assets) {
	const offer = manager.createOffer(world.player.trade_url);
	assets.forEach((asset) => offer.addMyItem({appid: 730, contextid: 2, assetid: asset.asset_id}));
	return offer;
}

async function seen(id) {
	return call(manager, 'getOffer', id);
}

// Keys are good for one second's action: the next one signs a second later.
async function confirmOne(id) {
	await sleep(1001);
	return call(community, 'acceptConfirmationForObject', world.bot.identity_secret, id);
}

async function signIn(account, platform, guard) {
	const made = new LoginSession(platform);
	const authenticated = once(made, 'authenticated');
	const begun = await made.startWithCredentials({
		accountName: account.account_name,
		password: account.password,
		steamGuardCode: guard
	});
	if (begun.actionRequired) {
		await made.submitSteamGuardCode(SteamTotp.generateAuthCode(account.shared_secret));
	}
	await authenticated;
	return made;
}

// --- steps --------------------------------------------------------------------------------------

step('sign-in: wrong passwords and codes are told, the right ones give cookies', async () => {
	const wrong = new LoginSession(EAuthTokenPlatformType.WebBrowser);
	const refused = await failure(wrong.startWithCredentials({accountName: world.bot.account_name, password: 'wrong'}));
	assert.equal(refused.eresult, EResult.InvalidPassword);

	session = await signIn(world.bot, EAuthTokenPlatformType.WebBrowser, '22222');
	assert.equal(session.steamID.getSteamID64(), world.bot.steam_id);
	assert.equal(session.accountName, world.bot.account_name);
	const cookies = await session.getWebCookies();
	community = new SteamCommunity();
	manager = new TradeOfferManager({community, language: 'en', pollInterval: -1, dataDirectory: null});
	await call(manager, 'setCookies', cookies);
	assert.equal((await all(community, 'loggedIn'))[0], true);
});

step('sign-in: a refresh token gives new cookies, an app renews its tokens', async () => {
	const again = new LoginSession(EAuthTokenPlatformType.WebBrowser);
	again.refreshToken = session.refreshToken;
	assert.ok((await again.getWebCookies()).some((cookie) => cookie.startsWith('steamLoginSecure=')));
	assert.equal((await failure(again.refreshAccessToken())).eresult, EResult.AccessDenied);

	const code = SteamTotp.generateAuthCode(world.other.shared_secret);
	const app = await signIn(world.other, EAuthTokenPlatformType.MobileApp, code);
	const before = app.refreshToken;
	assert.equal(await app.renewRefreshToken(), true);
	assert.notEqual(app.refreshToken, before);
	assert.equal((await app.getWebCookies()).length, 2);
});

step('account: trade protection, trade URL, time', async () => {
	await call(community, 'acknowledgeTradeProtection');
	assert.equal((await control('GET', `/control/accounts/${world.bot.steam_id}`)).acknowledged, true);
	const me = await control('GET', `/control/accounts/${world.bot.steam_id}`);
	assert.equal(await call(manager, 'getOfferToken'), me.trade_token);
	const [, token] = await all(community, 'changeTradeURL');
	assert.notEqual(token, me.trade_token);
	assert.ok(Math.abs(await call(SteamTotp, 'getTimeOffset')) < 200);
});

step('inventories: own, the partner\'s by both ways, contexts', async () => {
	const mine = await call(manager, 'getInventoryContents', 730, 2, true);
	const theirs = await call(ask([]), 'getPartnerInventoryContents', 730, 2);
	const page = await call(ask([]), 'loadPartnerInventory', 730, 2);
	assert.deepEqual(mine.map((item) => item.assetid).sort(), (await stock(world.bot)).map((a) => a.asset_id).sort());
	assert.deepEqual(theirs.map((item) => item.assetid).sort(), page.map((item) => item.assetid).sort());
	assert.ok(page.every((item) => item.market_hash_name && item.tradable));
	const contexts = await call(community, 'getUserInventoryContexts', world.player.steam_id);
	assert.equal(contexts['730'].rgContexts['2'].asset_count, (await control('GET', '/control/record?part=assets'))
		.assets.filter((asset) => asset.owner === world.player.steam_id && asset.context_id === 2).length);
});

step('user details: names, contexts, holds, pictures', async () => {
	const [me, them] = await all(ask([]), 'getUserDetails');
	assert.deepEqual([me.personaName, them.personaName], [world.bot.name, world.player.name]);
	assert.deepEqual([me.escrowDays, them.escrowDays, them.probation], [0, 0, false]);
	assert.ok(them.contexts['730'].rgContexts['2'].asset_count > 0);
	assert.ok(me.avatarFull.endsWith('_full.jpg') && them.avatarMedium.endsWith('_medium.jpg'));
	await change(world.player, {hold_days: 15});
	assert.equal((await all(ask([]), 'getUserDetails'))[1].escrowDays, 15);
	await change(world.player, {hold_days: 0});
});

step('send and poll: asked items come, with exchange details and received items', async () => {
	const offer = ask((await stock(world.player)).slice(0, 2));
	offer.setMessage('hello');
	assert.equal(await call(offer, 'send'), 'sent');
	assert.equal((await seen(offer.id)).message, 'hello');
	await poll();
	await act(world.player, offer.id, 'accept');
	const {sentOfferChanged: [changed]} = await poll();
	assert.deepEqual([changed.id, changed.state], [offer.id, ETradeOfferState.Accepted]);

	const [status, , received, given] = await all(changed, 'getExchangeDetails');
	assert.deepEqual([status, received.length, given.length], [ETradeStatus.Complete, 2, 0]);
	assert.ok(received.every((item) => item.new_assetid && item.new_contextid === '16' && item.market_hash_name));
	const items = await call(changed, 'getReceivedItems', true);
	assert.deepEqual(items.map((item) => item.assetid).sort(), received.map((item) => item.new_assetid).sort());
	assert.ok(items.every((item) => item.market_hash_name));
});

step('confirm one: a given item waits for the phone, is confirmed and taken', async () => {
	const offer = give((await stock(world.bot)).slice(0, 1));
	assert.equal(await call(offer, 'send'), 'pending');
	assert.equal((await seen(offer.id)).state, ETradeOfferState.CreatedNeedsConfirmation);
	await confirmOne(offer.id);
	await call(offer, 'update');
	assert.equal(offer.state, ETradeOfferState.Active);
	await act(world.player, offer.id, 'accept');
	await call(offer, 'update');
	assert.deepEqual([offer.state, offer.confirmationMethod], [ETradeOfferState.Accepted, 2]);
	assert.equal((await all(offer, 'getExchangeDetails'))[3].length, 1);
});

step('confirm many: two offers with one key, and a third by the checker', async () => {
	const offers = (await stock(world.bot)).slice(0, 3).map((asset) => give([asset]));
	for (const offer of offers.slice(0, 2)) {
		assert.equal(await call(offer, 'send'), 'pending');
	}
	await sleep(1001);
	const time = SteamTotp.time();
	const keys = ['conf', 'allow'].map((tag) => SteamTotp.getConfirmationKey(world.bot.identity_secret, time, tag));
	assert.equal((await call(community, 'acceptAllConfirmations', time, ...keys)).length, 2);

	assert.equal(await call(offers[2], 'send'), 'pending');
	await sleep(1001);
	const accepted = once(community, 'confirmationAccepted');
	community.startConfirmationChecker(10000, world.bot.identity_secret);
	assert.equal((await accepted)[0].creator, offers[2].id);
	community.stopConfirmationChecker();
	for (const offer of offers) {
		assert.equal((await seen(offer.id)).state, ETradeOfferState.Active);
	}
});

step('cancel: sent offers are taken back, what has ended is told', async () => {
	const [sent] = await all(manager, 'getOffers', EOfferFilter.ActiveOnly);
	assert.equal(sent.length, 3);
	for (const offer of sent) {
		await call(offer, 'cancel');
		assert.equal((await seen(offer.id)).state, ETradeOfferState.Canceled);
	}
	const stale = Object.assign(await seen(sent[0].id), {state: ETradeOfferState.Active});
	assert.equal((await failure(call(stale, 'cancel'))).eresult, EResult.InvalidState);
	const [gone] = await all(manager, 'getOffers', EOfferFilter.HistoricalOnly);
	assert.ok(gone.length >= 5);
});

step('accept: a gift at once, a swap after the phone', async () => {
	const [item, swapped] = await stock(world.player);
	const gift = await send(world.player, world.bot, {give: [item.asset_id]});
	const {newOffer: [received]} = await poll();
	assert.equal(received.id, gift.offer_id);
	assert.equal((await all(received, 'getUserDetails'))[1].personaName, world.player.name);
	assert.equal(await call(received, 'accept'), 'accepted');
	assert.equal((await call(received, 'getReceivedItems')).length, 1);

	const [mine] = await stock(world.bot);
	const swap = await send(world.player, world.bot, {give: [swapped.asset_id], receive: [mine.asset_id]});
	const {newOffer: [other]} = await poll();
	assert.equal(await call(other, 'accept'), 'pending');
	await confirmOne(swap.offer_id);
	const {receivedOfferChanged} = await poll();
	assert.ok(receivedOfferChanged.some((offer) => offer.id === swap.offer_id && offer.state === ETradeOfferState.Accepted));
});

step('decline and counter: received offers are answered', async () => {
	const [first, second] = await stock(world.player);
	const unwanted = await send(world.player, world.bot, {give: [first.asset_id]});
	const wanted = await send(world.player, world.bot, {give: [second.asset_id]});
	await call(await seen(unwanted.offer_id), 'decline');
	assert.equal((await seen(unwanted.offer_id)).state, ETradeOfferState.Declined);

	const counter = (await seen(wanted.offer_id)).counter();
	assert.ok(counter.addTheirItem({appid: 730, contextid: 2, assetid: first.asset_id}));
	assert.equal(await call(counter, 'send'), 'sent');
	assert.equal((await seen(wanted.offer_id)).state, ETradeOfferState.Countered);
	await act(world.player, counter.id, 'decline');
	assert.equal((await seen(counter.id)).state, ETradeOfferState.Declined);
});

step('escrow: a held trade is in escrow', async () => {
	await change(world.player, {hold_days: 15});
	const offer = ask((await stock(world.player)).slice(0, 1));
	await call(offer, 'send');
	await act(world.player, offer.id, 'accept');
	await call(offer, 'update');
	assert.equal(offer.state, ETradeOfferState.InEscrow);
	assert.ok(offer.escrowEnds.getTime() > Date.now() + 14 * 86400 * 1000);
	assert.equal((await all(offer, 'getExchangeDetails'))[0], ETradeStatus.InEscrow);
	await change(world.player, {hold_days: 0});
});

step('refusals: in Steam\'s words and numbers', async () => {
	const [item] = await stock(world.player);
	assert.equal((await failure(call(manager, 'getOffer', 1))).eresult, String(EResult.NoMatch));
	const gone = ask([{asset_id: '12'}]);
	assert.equal((await failure(call(gone, 'send'))).eresult, EResult.Revoked);
	const stranger = ask([item]);
	stranger.setToken('Wrong123');
	assert.match((await failure(call(stranger, 'send'))).message, /Trade URL is no longer valid/);
	await change(world.player, {banned: true});
	assert.equal((await failure(call(ask([item]), 'send'))).cause, 'TradeBan');
	await change(world.player, {banned: false});
	for (let number = 0; number < 5; number++) {
		await call(ask([item]), 'send');
	}
	const many = await failure(call(ask([item]), 'send'));
	assert.deepEqual([many.cause, many.eresult], ['OfferLimitExceeded', EResult.LimitExceeded]);
	await change(world.bot, {device_locked: true});
	assert.equal((await failure(call(ask([item]), 'send'))).cause, 'NewDevice');
	assert.match((await failure(all(ask([item]), 'getUserDetails'))).message, /logged in from a new device/);
	await change(world.bot, {device_locked: false});
});

step('Web API key: asked for, confirmed, read', async () => {
	await control('DELETE', `/control/accounts/${world.bot.steam_id}/api_key`);
	assert.match((await failure(call(community, 'getWebApiKey'))).message, /No API key/);
	await sleep(1001);
	const made = await call(community, 'createWebApiKey', {domain: 'example.org', identitySecret: world.bot.identity_secret});
	assert.equal(made.confirmationRequired, false);
	assert.equal(await call(community, 'getWebApiKey'), made.apiKey);
});

step('signed out: everywhere at once, and it is noticed', async () => {
	await change(world.bot, {revoke_tokens: true});
	const expired = once(manager, 'sessionExpired');
	await failure(call(ask(await stock(world.player).then((found) => found.slice(0, 1))), 'send'));
	await expired;
	assert.equal((await all(community, 'loggedIn'))[0], false);
});

// --- run ----------------------------------------------------------------------------------------

async function main() {
	let text = '';
	for await (const chunk of process.stdin) {
		text += chunk;
	}
	world = JSON.parse(text);
	for (const [name, run] of steps) {
		try {
			await run();
		} catch (error) {
			console.log(JSON.stringify({step: name, ok: false, error: error.stack || String(error)}));
			process.exit(1);
		}
		console.log(JSON.stringify({step: name, ok: true}));
	}
	process.exit(0);
}

main();

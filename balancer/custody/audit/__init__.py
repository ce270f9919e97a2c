"""The custody audit: every bot reads its own inventory from time to time; the balancer compares it with the bot's rows.

One row per bot in ``audits`` holds the state of its audit. The loop gives the orders (`ask`), the reports are applied like
any other (`readings`), `balancer.custody.compare` compares and judges. A difference that counts freezes the bot in the
transaction that finds it: nothing is withdrawn from it and nothing new deposited until an operator lets it go on (`freeze`).
What could not be read is no difference; after some tries the audit ends as inconclusive.
"""

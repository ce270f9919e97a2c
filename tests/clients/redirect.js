// `node --require redirect.js`: connections to Steam's hosts go to the sandbox at $SANDBOX_TLS (host:port) instead. The names
// that the client asks for stay: the certificate must be theirs, and `Host` is what the client says. No client is changed.
'use strict';

const tls = require('tls');

const [host, port] = process.env.SANDBOX_TLS.split(':');
const STEAM = /(^|\.)(steamcommunity\.com|steampowered\.com|steam\.tv)$/;
const connect = tls.connect;

tls.connect = function(...args) {
	const options = args[0];
	if (options && typeof options === 'object') {
		const wanted = options.servername || options.host || '';
		if (!STEAM.test(wanted)) {
			throw new Error(`a client asks for ${options.host}:${options.port}, which is not Steam`);
		}
		args[0] = Object.assign({}, options, {host, port: Number(port), servername: wanted, path: undefined});
	}
	return connect.apply(tls, args);
};

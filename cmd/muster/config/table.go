package config

import "slices"

// Settings is the table: each setting there is, in the order the documentation shows.
func Settings() []Setting {
	return append(base(), limits()...)
}

func base() []Setting {
	return []Setting{
		{Key: "data_dir", Kind: Text, Flag: true, DefaultDoc: "`/var/lib/muster` for root, else `~/.local/share/muster`",
			Doc: "Directory that holds what this node keeps: the private PostgreSQL, spooled messages, its identity."},
		{Key: "database_url", Kind: Text, Flag: true, DefaultDoc: "a private PostgreSQL in the data directory", Hide: hidePassword,
			Doc: "PostgreSQL 15 or later to use, as `postgres://user:password@host/database` or `host=… dbname=…`."},
		{Key: "database_connections", Kind: Number, Flag: true, Scope: Serving, Default: "20",
			Doc: "Connections to the database at most, where its URL does not say pool_max_conns; the fan-out has three more."},
		{Key: "hostname", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "the machine's name",
			Doc: "Name this server gives itself in SMTP, in Received fields and in message ids."},
		{Key: "default_domain", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "the hostname where it is served, else the only domain",
			Doc: "Domain of a name without one, in `EXPN c-help`."},
		{Key: "roles", Kind: List, Flag: true, Scope: Serving, Default: "smtp,fanout,clock,admin",
			Doc: "What this node does: `smtp` takes mail in, `fanout` sends it out, `clock` does what is due, `admin` is the web site."},
		{Key: "smtp_listen", Kind: List, Flag: true, Scope: Serving, Default: "127.0.0.1:2525",
			Doc: "Where to take mail by SMTP: `host:port` or `unix:PATH`; `none` for nowhere."},
		{Key: "lmtp_listen", Kind: List, Flag: true, Scope: Serving, DefaultDoc: "nowhere",
			Doc: "Where to take mail by LMTP (RFC 2033), behind another mail server: `host:port` or `unix:PATH`."},
		{Key: "tls_cert", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "no STARTTLS",
			Doc: "File of the certificate chain in PEM, for STARTTLS. Read again on SIGHUP."},
		{Key: "tls_key", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "none",
			Doc: "File of the certificate's private key in PEM."},
		{Key: "auth_without_tls", Kind: Bool, Flag: true, Scope: Serving, Default: "false",
			Doc: "Offer AUTH on connections that are not encrypted. `muster demo` sets it."},
		{Key: "trusted_network", Kind: List, Flag: true, Scope: Serving, Default: "127.0.0.0/8,::1",
			Doc: "Clients that may EXPN and VRFY, see /metrics, and that no limit on connections, rates or idle commands holds. What is given replaces the default; `none` trusts nobody. Who comes by a unix socket is trusted unless it is `none`."},
		{Key: "authserv_id", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "the hostname",
			Doc: "Name under which this site says in Authentication-Results (RFC 8601) who vouches for a message: the same on all nodes. Fields of that name that came with a post are removed."},
		{Key: "trusted_authserv_id", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "nobody's",
			Doc: "Name in the Authentication-Results of the mail server in front: what it found is taken over from the mail of trusted networks, and of LMTP. That server must remove fields of its name that came from outside. Without this, nothing is known of such mail."},
		{Key: "http_listen", Kind: Text, Flag: true, Scope: Serving, Default: "127.0.0.1:8080",
			Doc: "Where the web site listens: `host:port` or `unix:PATH`."},
		{Key: "base_url", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "`http://` and http_listen",
			Doc: "The site's address as people reach it; it stands in mails. One-click unsubscription wants https here."},
		{Key: "trusted_proxies", Kind: List, Flag: true, Scope: Serving, DefaultDoc: "none",
			Doc: "Networks of the reverse proxies whose X-Forwarded-For is believed."},
		{Key: "relay", Kind: Tables, Alone: "url", Columns: relayColumns(), Flag: true, Scope: Serving, DefaultDoc: "each domain's MX",
			Doc: "Server that takes all outgoing mail: `smtp://[user:password@]host:port` (STARTTLS where offered) or `smtps://`; by LMTP (RFC 2033) `lmtp://host:port` or `lmtp+unix:/path`; by HTTP `https://host/path`. Several, or for some domains only: `[[relay]]`, see below."},
		{Key: "resolver", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "the system's",
			Doc: "DNS server to ask, `host:port`."},
		{Key: "resolver_dnssec", Kind: Bool, Flag: true, Scope: Serving, Default: "false",
			Doc: "The DNS server checks DNSSEC, and nobody can change its answers on the way, as on the same machine: what it says is signed counts as that, and DANE (RFC 7672) is held to."},
		{Key: "connections", Kind: Number, Flag: true, Scope: Serving, Default: "20",
			Doc: "Connections to one destination at a time, of all nodes together."},
		{Key: "destination", Kind: Tables, Columns: destinationColumns(), DefaultDoc: "all are alike",
			Doc: "What is different for some destinations, see below."},
		{Key: "rate", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "as fast as it can be",
			Doc: "Copies and notices that go out, of all nodes together: a number and `/s`, `/m`, `/h` or `/d`, as in `14/s`. They go evenly. Set it on each node."},
		{Key: "window_limit", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "none",
			Doc: "Copies and notices that go out in any span of time of some length, of all nodes together, as in `50000/24h`: what a provider calls a quota. From `10m` to `31d`. What is beyond it waits. Set it on each node."},
		{Key: "max_backlog", Kind: Number, Flag: true, Scope: Serving, Default: "50000000",
			Doc: "Copies that may wait to be sent, on all nodes: while there are more, posts are answered `451 4.3.1`."},
		{Key: "warn_late", Kind: Duration, Flag: true, Scope: Serving, Default: "4h", Off: true,
			Doc: "Owners of a list are mailed when copies of its posts have waited for so long, once a day at most; `0`: never. What is held, and copies that only the member's own mailbox does not take, do not count."},
		{Key: "max_refused", Kind: Number, Flag: true, Scope: Serving, Default: "50", Off: true,
			Doc: "Of a hundred copies of a post so many may be refused for good; a post of which more are, and a thousand at least on one node, is paused, once, and the list's owners are mailed. `0`: all may."},
		{Key: "max_answers", Kind: Number, Flag: true, Scope: Serving, Default: "10",
			Doc: "Answers to commands by mail that one address is sent in a day. What it asks for beyond that is done, and not answered."},
		{Key: "redirect_all_to", Kind: Text, Flag: true, Scope: Serving, DefaultDoc: "to whom it is for",
			Doc: "For trying a site out: all that goes out, copies and notices, goes to this address and to nobody else, with its recipient in the field `X-Original-To`. Set it on every node: those that send go by it, and those with the site say so on each page."},
		{Key: "tls_out", Kind: Text, Flag: true, Scope: Serving, Default: "prefer",
			Doc: "Encryption of outgoing mail: `none` (and no MTA-STS, no DANE), `prefer` (STARTTLS where offered, whatever the certificate), `require` (no mail without it), `verify` (nor without a certificate for the server's name, or one that DANE vouches for). Where a password goes to a relay it is `verify` at least."},
		{Key: "mta_sts", Kind: Bool, Flag: true, Scope: Serving, Default: "true",
			Doc: "Ask domains by HTTPS for their MTA-STS policy (RFC 8461), and hold mail back from servers that it forbids."},
		{Key: "shutdown_timeout", Kind: Duration, Flag: true, Scope: Serving, Default: "30s",
			Doc: "How long a stop waits for what is in flight."},
		{Key: "log_level", Kind: Text, Flag: true, Scope: Serving, Default: "info",
			Doc: "`debug`, `info`, `warn` or `error`."},
		{Key: "log_format", Kind: Text, Flag: true, Scope: Serving, Default: "text",
			Doc: "`text` or `json`, to standard error."},
	}
}

func limits() []Setting {
	return slices.Concat(sessionLimits(), messageLimits(), timeLimits())
}

func sessionLimits() []Setting {
	return []Setting{
		{Key: "limits.sessions", Kind: Number, Default: "1000", Reply: "`421`, closes", NotTrusted: true,
			Doc: "Sessions at a time."},
		{Key: "limits.sessions_per_client", Kind: Number, Default: "50", Reply: "`421`, closes", NotTrusted: true,
			Doc: "Sessions at a time from one IPv4 address or IPv6 /64."},
		{Key: "limits.command_line", Kind: Number, Default: "2048", Reply: "`500 5.5.2`",
			Doc: "Octets in a command line (RFC 5321 4.5.3.1.4)."},
		{Key: "limits.auth_line", Kind: Number, Default: "12288", Reply: "`500 5.5.6`, as a command `500 5.5.2`",
			Doc: "Octets in a line of an AUTH exchange (RFC 4954 4)."},
		{Key: "limits.errors", Kind: Number, Default: "20", Reply: "`421 4.7.0`, closes",
			Doc: "Protocol errors in a session. A refused recipient is none."},
		{Key: "limits.idle_commands", Kind: Number, Default: "100", Reply: "`421 4.7.0`, closes", NotTrusted: true,
			Doc: "Commands since the last message that was accepted."},
		{Key: "limits.questions", Kind: Number, Default: "60", Reply: "`450 4.7.1`", NotTrusted: true,
			Doc: "VRFY and EXPN a minute from one client."},
		{Key: "limits.unknown_recipients", Kind: Number, Default: "100", Reply: "`421 4.7.0`, closes", NotTrusted: true,
			Doc: "Recipients refused in a session; after ten each answer comes slower."},
		{Key: "limits.auth_errors", Kind: Number, Default: "10", Reply: "`421 4.7.0`, closes",
			Doc: "Wrong AUTH in a session; after three each answer comes late."},
	}
}

func messageLimits() []Setting {
	return []Setting{
		{Key: "limits.recipients", Kind: Number, Default: "1000", Reply: "`452 4.5.3`",
			Doc: "Recipients in a transaction (RFC 5321 4.5.3.1.8)."},
		{Key: "limits.message", Kind: Octets, Default: "25MiB", Reply: "`552 5.3.4`",
			Doc: "A message, header and body; said in EHLO as SIZE (RFC 1870)."},
		{Key: "limits.header", Kind: Octets, Default: "256KiB", Reply: "`552 5.3.4`",
			Doc: "The header of a message."},
		{Key: "limits.header_fields", Kind: Number, Default: "1000", Reply: "`554 5.6.0`",
			Doc: "Fields in a header."},
		{Key: "limits.hops", Kind: Number, Default: "100", Reply: "`554 5.4.6`",
			Doc: "Received fields in a header, which a loop adds to (RFC 5321 6.3)."},
		{Key: "limits.text_line", Kind: Number, Default: "998", Reply: "`554 5.6.0`",
			Doc: "Octets in a line of a message, without its end (RFC 5321 4.5.3.1.6)."},
		{Key: "limits.memory", Kind: Octets, Default: "256KiB",
			Doc: "So much of a message is held in memory while it comes in, the rest in a file of the data directory."},
	}
}

func timeLimits() []Setting {
	return []Setting{
		{Key: "limits.command_timeout", Kind: Duration, Default: "5m", Reply: "`421 4.4.2`, closes",
			Doc: "Wait for a command (RFC 5321 4.5.3.2.7)."},
		{Key: "limits.busy_timeout", Kind: Duration, Default: "10s", Reply: "`421 4.4.2`, closes",
			Doc: "The same while four in five sessions are taken."},
		{Key: "limits.data_pause", Kind: Duration, Default: "3m", Reply: "`421 4.4.2`, closes",
			Doc: "Wait for the next octets of a message (RFC 5321 4.5.3.2.5)."},
		{Key: "limits.data_rate", Kind: Number, Default: "500", Reply: "`421 4.4.2`, closes",
			Doc: "Octets a second that a message must come in with, reckoned after the first data_pause."},
		{Key: "limits.data_timeout", Kind: Duration, Default: "1h", Reply: "`421 4.4.2`, closes",
			Doc: "Time for a whole message."},
	}
}

func relayColumns() []Setting {
	return []Setting{
		{Key: "url", Kind: Text, Hide: hidePassword,
			Doc: "`smtp://[user:password@]host:port` (STARTTLS where offered) or `smtps://`; by LMTP `lmtp://host:port` (STARTTLS where offered) or `lmtp+unix:/path`; by HTTP `https://[user:password@]host/path`, see [transports.md](transports.md)."},
		{Key: "token", Kind: Text, DefaultDoc: "none", Hide: hideAll,
			Doc: "A bearer token for a relay by HTTP, in place of user and password."},
		{Key: "weight", Kind: Number, Default: "1",
			Doc: "Its share of the connections among the relays with the same `for_…`. One that cannot be connected to, or does not want us, has none for a while: the others stand in."},
		{Key: "for_list_domain", Kind: List, DefaultDoc: "all",
			Doc: "Takes mail of the lists of these domains: a domain, `*.domain` for all below it, `*`."},
		{Key: "for_recipient_domain", Kind: List, DefaultDoc: "all",
			Doc: "Takes mail to these domains, written the same; where both are given, what is both."},
	}
}

func destinationColumns() []Setting {
	return []Setting{
		{Key: "match", Kind: List,
			Doc: "Which: the domain of recipients, or the host of an MX or a relay, as `domain`, `*.domain` for all below it, or `*`. The first table in the file that is for a destination counts. A domain matched by its own name is a destination of its own, whoever shares its MX."},
		{Key: "connections", Kind: Number, DefaultDoc: "`connections`",
			Doc: "Connections at a time, of all nodes together; each node that sends has one at least."},
		{Key: "rate", Kind: Text, DefaultDoc: "no limit",
			Doc: "Copies in a time, of all nodes together: `100/m`, with `s`, `m`, `h` or `d`. They go evenly spread."},
		{Key: "recipients", Kind: Number, DefaultDoc: "100, or what the server says",
			Doc: "Recipients of a transaction."},
		{Key: "tls", Kind: Text, DefaultDoc: "`tls_out`",
			Doc: "Encryption: `none`, `prefer`, `require` or `verify`, as with `tls_out`."},
	}
}

package config

import "time"

// Config is the settings as read and checked. Each field is a row of Settings, by its key.
type Config struct {
	DataDir             string        `koanf:"data_dir"`
	DatabaseURL         string        `koanf:"database_url"`
	DatabaseConnections int           `koanf:"database_connections"`
	Hostname            string        `koanf:"hostname"`
	DefaultDomain       string        `koanf:"default_domain"`
	Roles               []string      `koanf:"roles"`
	SMTPListen          []string      `koanf:"smtp_listen"`
	LMTPListen          []string      `koanf:"lmtp_listen"`
	TLSCert             string        `koanf:"tls_cert"`
	TLSKey              string        `koanf:"tls_key"`
	AuthWithoutTLS      bool          `koanf:"auth_without_tls"`
	TrustedNetwork      []string      `koanf:"trusted_network"`
	HTTPListen          string        `koanf:"http_listen"`
	BaseURL             string        `koanf:"base_url"`
	TrustedProxies      []string      `koanf:"trusted_proxies"`
	Relay               []Relay       `koanf:"relay"`
	Resolver            string        `koanf:"resolver"`
	ResolverDNSSEC      bool          `koanf:"resolver_dnssec"`
	Connections         int           `koanf:"connections"`
	Rate                string        `koanf:"rate"`
	WindowLimit         string        `koanf:"window_limit"`
	MaxBacklog          int           `koanf:"max_backlog"`
	WarnLate            time.Duration `koanf:"warn_late"`
	MaxRefused          int           `koanf:"max_refused"`
	MaxAnswers          int           `koanf:"max_answers"`
	RedirectAllTo       string        `koanf:"redirect_all_to"`
	Destination         []Destination `koanf:"destination"`
	AuthservID          string        `koanf:"authserv_id"`
	TrustedAuthservID   string        `koanf:"trusted_authserv_id"`
	TLSOut              string        `koanf:"tls_out"`
	MTASTS              bool          `koanf:"mta_sts"`
	ShutdownTimeout     time.Duration `koanf:"shutdown_timeout"`
	LogLevel            string        `koanf:"log_level"`
	LogFormat           string        `koanf:"log_format"`
	Limits              Limits        `koanf:"limits"`

	origin map[string]string // where a key was set, for messages
}

// Relay is a server that takes mail for others.
type Relay struct {
	URL                string   `koanf:"url"`
	Token              string   `koanf:"token"`
	Weight             int      `koanf:"weight"`
	ForListDomain      []string `koanf:"for_list_domain"`
	ForRecipientDomain []string `koanf:"for_recipient_domain"`
}

// Destination is what is different for some destinations.
type Destination struct {
	Match       []string `koanf:"match"`
	Connections int      `koanf:"connections"`
	Rate        string   `koanf:"rate"`
	Recipients  int      `koanf:"recipients"`
	TLS         string   `koanf:"tls"`
}

// Limits are those of the SMTP and LMTP listeners.
type Limits struct {
	Sessions          int           `koanf:"sessions"`
	SessionsPerClient int           `koanf:"sessions_per_client"`
	CommandLine       int           `koanf:"command_line"`
	AuthLine          int           `koanf:"auth_line"`
	Errors            int           `koanf:"errors"`
	IdleCommands      int           `koanf:"idle_commands"`
	Questions         int           `koanf:"questions"`
	UnknownRecipients int           `koanf:"unknown_recipients"`
	AuthErrors        int           `koanf:"auth_errors"`
	Recipients        int           `koanf:"recipients"`
	Message           Size          `koanf:"message"`
	Header            Size          `koanf:"header"`
	HeaderFields      int           `koanf:"header_fields"`
	Hops              int           `koanf:"hops"`
	TextLine          int           `koanf:"text_line"`
	Memory            Size          `koanf:"memory"`
	CommandTimeout    time.Duration `koanf:"command_timeout"`
	BusyTimeout       time.Duration `koanf:"busy_timeout"`
	DataPause         time.Duration `koanf:"data_pause"`
	DataRate          int           `koanf:"data_rate"`
	DataTimeout       time.Duration `koanf:"data_timeout"`
}

// Roles of a node.
const (
	RoleSMTP   = "smtp"
	RoleFanout = "fanout"
	RoleClock  = "clock"
	RoleAdmin  = "admin"
)

package main

import (
	"strings"

	"github.com/spf13/cobra"

	"muster/cmd/muster/config"
)

// rootCommand is muster with all its commands, one a file.
func (a *app) rootCommand() *cobra.Command {
	root := group("muster", "A mailing-list manager with its own SMTP endpoint",
		a.serveCommand(),
		a.demoCommand(),
		a.migrateCommand(),
		a.domainCommand(),
		a.listCommand(),
		a.memberCommand(),
		a.personCommand(),
		a.postCommand(),
		a.banCommand(),
		a.siteCommand(),
		a.queueCommand(),
		a.templateCommand(),
		a.versionCommand(),
	)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&a.configFile, "config", "", "TOML file with settings (default $MUSTER_CONFIG, else /etc/muster/muster.toml where there is one)")
	config.AddFlags(flags, config.Everywhere)
	flags.BoolVar(&a.json, "json", false, "print data as JSON, one object a line")
	return root
}

// group is a command that only has commands below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return unknownCommand(cmd, args)
		},
	}
	g.AddCommand(commands...)
	return g
}

func unknownCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if len(args) == 0 {
		return usagef("%s wants a command: %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	if like := config.Nearest(args[0], names); like != "" {
		return usagef("there is no command %q; did you mean %s %s?", args[0], cmd.CommandPath(), like)
	}
	return usagef("there is no command %q; %s has %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
}

// arguments wants at least, and where most is not negative at most, so many.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return usagef("something is missing: %s", cmd.UseLine())
		}
		if most >= 0 && len(args) > most {
			return usagef("%q is too much: %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

package main

import (
	"context"

	"github.com/spf13/cobra"

	"muster/migrations"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database to the schema of this version",
		Long: "Bring the database to the schema of this version. Every command that opens the database does\n" +
			"so by itself; migrate is for those who want it done at a time of their own.",
		Args: arguments(0, 0),
		RunE: a.with(migrate),
	}
}

// migrate has nothing left to do: opening the database did it.
func migrate(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
	have, _, err := migrations.Versions(ctx, s.db.Pool)
	if err != nil {
		return err
	}
	if s.json {
		return newEncoder(s.stdout).Encode(map[string]int64{"schema": have})
	}
	s.say("the database has schema %d, which is the one of this version", have)
	return nil
}

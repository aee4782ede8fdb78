package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/fanout"
	"muster/lists"
)

// holdView is one hold as --json prints it.
type holdView struct {
	List        string    `json:"list,omitempty"`
	Destination string    `json:"destination,omitempty"`
	Post        string    `json:"post,omitempty"`
	At          time.Time `json:"at"`
	By          string    `json:"by"`
}

func viewHold(h fanout.Hold) holdView {
	v := holdView{List: h.Address, Destination: h.What.Destination, At: h.At, By: h.By}
	if p := h.What.Post; p != (fanout.Selection{}).Post {
		v.Post = p.String()
	}
	return v
}

// changeView is what --json prints of a change to the holds.
type changeView struct {
	Changed bool `json:"changed"`
}

func (a *app) queueHoldCommand() *cobra.Command {
	return a.partCommand(&cobra.Command{
		Use:   "hold" + partUsage,
		Short: "Keep mail from going out, on all nodes, until it is released",
		Long: `Keep mail from going out: what waits of the part that the flags select together, and what comes
to it later. With --all no mail goes out at all. Every node obeys within seconds; a transaction under
way may finish. A hold is kept in the database: it outlives every node.`,
	}, "hold", func(ctx context.Context, s *services, selection fanout.Selection) error {
		set, err := s.engine().Hold(ctx, selection, lists.CLI().Name)
		if err != nil {
			return unknownDestination(err)
		}
		if !set {
			s.say("that is held already")
		} else {
			s.say("held; muster queue release with the same flags lets it go on")
		}
		return s.sayChanged(set)
	})
}

func (a *app) queueReleaseCommand() *cobra.Command {
	return a.partCommand(&cobra.Command{
		Use:   "release" + partUsage,
		Short: "Let mail go on that was held with the same flags",
		Long: `Lift the hold that was set with the same flags; --all lifts the one of all mail. What another hold
names as well stays. muster queue status shows the holds there are.`,
	}, "release", func(ctx context.Context, s *services, selection fanout.Selection) error {
		err := s.engine().Release(ctx, selection, lists.CLI().Name)
		if errors.Is(err, fanout.ErrNotHeld) {
			return fmt.Errorf("%w; muster queue status shows what is held, and with which flags it is released", err)
		}
		if err != nil {
			return unknownDestination(err)
		}
		s.say("released")
		return s.sayChanged(true)
	})
}

func (s *services) sayChanged(changed bool) error {
	if !s.json {
		return nil
	}
	return newEncoder(s.stdout).Encode(changeView{changed})
}

func unknownDestination(err error) error {
	if errors.Is(err, fanout.ErrNoDestination) {
		return fmt.Errorf("%w; muster queue status names those where something waits (a set of mail servers, mxset:, is none)", err)
	}
	return err
}

// dropView is what --json prints of a drop.
type dropView struct {
	Messages int64 `json:"messages"`
	Copies   int64 `json:"copies"`
	Underway int64 `json:"underway"`
}

func (a *app) queueDropCommand() *cobra.Command {
	var yes bool
	cmd := a.partCommand(&cobra.Command{
		Use:   "drop" + partUsage + " --yes",
		Short: "Give up what waits to go out: nobody gets those copies any more",
		Long: `Give up what waits of the part that the flags select together, as it is now; what comes later is
sent. Copies given up are counted as dropped and written down in the journal; nobody's bounce score is
touched. Without --yes it only says how much that would be.`,
	}, "drop", func(ctx context.Context, s *services, selection fanout.Selection) error {
		engine := s.engine()
		if !yes {
			b, err := engine.Waiting(ctx, selection)
			if err != nil {
				return unknownDestination(err)
			}
			return usagef("%s would be given up for good; if that is meant, say --yes", backlogText(b))
		}
		d, err := engine.Drop(ctx, selection, lists.CLI().Name)
		if err != nil {
			return unknownDestination(err)
		}
		if s.json {
			return newEncoder(s.stdout).Encode(dropView(d))
		}
		s.say("dropped: %s, %s", plural(int(d.Copies), "copy", "copies"), plural(int(d.Messages), "message not begun", "messages not begun"))
		if d.Underway > 0 {
			s.say("%s in shards that are being sent: what is not sent within seconds is dropped, too", plural(int(d.Underway), "copy", "copies"))
		}
		return nil
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

func backlogText(b fanout.Backlog) string {
	parts := []string{plural(int(b.Copies), "copy", "copies") + " not tried yet", plural(int(b.Deferred), "copy", "copies") + " to be tried again"}
	if b.Messages > 0 {
		parts = append(parts, plural(int(b.Messages), "message not begun", "messages not begun"))
	}
	text := strings.Join(parts, ", ")
	if b.More {
		text = "at least " + text
	}
	return text
}

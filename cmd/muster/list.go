package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"muster/lists"
	"muster/smtp"
)

// listView is a list as --json prints it.
type listView struct {
	Address     string `json:"address"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Advertised  bool   `json:"advertised"`
	Expn        string `json:"expn"`
	PostPolicy  string `json:"post_policy"`
	JoinPolicy  string `json:"join_policy"`
	VERP        any    `json:"verp"` // true, false, or for every how manieth post
	Tracking    string `json:"tracking"`
	Siblings    string `json:"siblings"`
	Priority    string `json:"priority"`
	listModeration
	Created time.Time `json:"created"`

	Rules map[string]string `json:"rules,omitempty"` // what it chose for the rules on its posts
}

// listModeration is what of a list is about held posts.
type listModeration struct {
	MaxHoldDays      any    `json:"max_hold_days"` // "never", or how many
	ModeratorNotices string `json:"moderator_notices"`
	TellHeld         bool   `json:"tell_held"`
}

// listDetail is a list with what takes more questions to the database.
type listDetail struct {
	listView
	Owners        []string `json:"owners"`
	Moderators    []string `json:"moderators"`
	Members       int      `json:"members"`
	MembersCapped bool     `json:"members_capped,omitempty"` // there are more than members
}

func viewList(l lists.List) listView {
	return listView{
		Address: l.Address().String(), Name: l.Name, Description: l.Description, Advertised: l.Advertised, Expn: l.Expn,
		PostPolicy: l.PostPolicy, JoinPolicy: l.JoinPolicy, VERP: viewVERP(l.VERP), Tracking: l.Tracking, Siblings: l.Siblings,
		Priority: l.Priority, Created: l.Created, Rules: viewRules(l),
		listModeration: listModeration{
			MaxHoldDays: viewDays(l.MaxHoldDays), ModeratorNotices: l.ModeratorNotices, TellHeld: l.TellHeld,
		},
	}
}

func viewDays(n int) any {
	if n > 0 {
		return n
	}
	return "never"
}

// viewRules are the settings of the rules that are not as in a new list.
func viewRules(l lists.List) map[string]string {
	rules := map[string]string{}
	for _, setting := range lists.RuleSettings() {
		if value := l.Get(setting.Key); value != setting.Default {
			rules[setting.Key] = value
		}
	}
	return rules
}

func viewVERP(n int) any {
	if n > 1 {
		return n
	}
	return n == 1
}

func (a *app) listCommand() *cobra.Command {
	return group("list", "Mailing lists",
		a.listCreateCommand(),
		&cobra.Command{
			Use:   "show LIST",
			Short: "Show a list, its settings and who runs it",
			Args:  arguments(1, 1),
			RunE:  a.with(listShow),
		},
		a.listLsCommand(),
		a.listSetCommand(),
		a.listAnswersCommand(),
		a.listTrustedCommand(),
		&cobra.Command{
			Use:   "rm LIST",
			Short: "Remove a list; its address is unknown from then on",
			Args:  arguments(1, 1),
			RunE:  a.with(listRm),
		},
	)
}

func (a *app) listCreateCommand() *cobra.Command {
	var title, description string
	var owners []string
	cmd := &cobra.Command{
		Use:   "create LIST",
		Short: "Make a list, and its domain if it is the first there",
		Long:  "Make a list, and its domain if it is the first there. Owners are not thereby members; nobody is mailed.",
		Args:  arguments(1, 1),
	}
	cmd.Flags().StringVar(&title, "name", "", "the list's name as people read it")
	cmd.Flags().StringVar(&description, "description", "", "what the list is for")
	cmd.Flags().StringSliceVar(&owners, "owner", nil, "address of an owner; may be given more than once")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		address, err := parseAddress(args[0])
		if err != nil {
			return err
		}
		n := lists.NewList{Address: address, Name: title, Description: description}
		if n.Owners, err = parseAddresses(owners); err != nil {
			return err
		}
		l, err := s.lists.CreateList(ctx, lists.CLI(), n)
		if err != nil {
			return err
		}
		s.say("made list %s", l.Address())
		return s.printListJSON(ctx, l)
	})
	return cmd
}

func listShow(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
	l, err := s.list(ctx, args[0])
	if err != nil {
		return err
	}
	if s.json {
		return s.printListJSON(ctx, l)
	}
	roles, err := s.lists.Roles(ctx, lists.CLI(), l.ID)
	if err != nil {
		return err
	}
	members, err := s.lists.Members(ctx, lists.CLI(), l.ID, lists.MemberQuery{Limit: 1})
	if err != nil {
		return err
	}
	p := s.printer()
	p.row(nil, "address", l.Address().String())
	for _, setting := range lists.Settings() {
		p.row(nil, setting.Key, strings.ReplaceAll(l.Get(setting.Key), "\n", "\n\t"))
	}
	p.row(nil, "owners", strings.Join(holders(roles, lists.RoleOwner), ", "))
	p.row(nil, "moderators", strings.Join(holders(roles, lists.RoleModerator), ", "))
	p.row(nil, "members", memberCount(members))
	p.row(nil, "created", l.Created.Local().Format(time.DateTime))
	return p.flush()
}

// holders are the addresses that have a role.
func holders(roles []lists.Role, role string) []string {
	addresses := []string{}
	for _, r := range roles {
		if r.Role == role {
			addresses = append(addresses, r.Address)
		}
	}
	return addresses
}

// printListJSON prints the list with its roles, where --json was given.
func (s *services) printListJSON(ctx context.Context, l lists.List) error {
	if !s.json {
		return nil
	}
	roles, err := s.lists.Roles(ctx, lists.CLI(), l.ID)
	if err != nil {
		return err
	}
	members, err := s.lists.Members(ctx, lists.CLI(), l.ID, lists.MemberQuery{Limit: 1})
	if err != nil {
		return err
	}
	return newEncoder(s.stdout).Encode(listDetail{
		listView: viewList(l), Owners: holders(roles, lists.RoleOwner), Moderators: holders(roles, lists.RoleModerator),
		Members: members.Count, MembersCapped: members.CountCapped,
	})
}

func (a *app) listLsCommand() *cobra.Command {
	var domain string
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the lists",
		Args:  arguments(0, 0),
	}
	cmd.Flags().StringVar(&domain, "domain", "", "only those of this domain")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, _ []string) error {
		p := s.printer("LIST", "NAME", "POST", "JOIN", "EXPN")
		query := lists.ListQuery{Domain: domain, Limit: pageSize}
		for {
			page, err := s.lists.Lists(ctx, lists.CLI(), query)
			if err != nil {
				return err
			}
			for _, l := range page.Lists {
				query.After = l.Address().String()
				if err := p.row(viewList(l), query.After, l.Name, l.PostPolicy, l.JoinPolicy, l.Expn); err != nil {
					return err
				}
			}
			if err := p.flush(); err != nil {
				return err
			}
			if len(page.Lists) == 0 && domain != "" {
				return s.requireDomain(ctx, domain)
			}
			if !page.More {
				return nil
			}
		}
	})
	return cmd
}

// requireDomain tells a domain without lists from one that is not here.
func (s *services) requireDomain(ctx context.Context, name string) error {
	domains, err := s.lists.Domains(ctx, lists.CLI())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(domains, func(d lists.Domain) bool { return strings.EqualFold(d.Name, name) }) {
		return fmt.Errorf("there is no domain %s here; muster domain ls shows which there are", name)
	}
	return nil
}

// pageSize is how many rows a command asks for at a time.
const pageSize = 1000

func listRm(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
	l, err := s.list(ctx, args[0])
	if err != nil {
		return err
	}
	if err := s.lists.RemoveList(ctx, lists.CLI(), l.ID); err != nil {
		return err
	}
	s.say("removed list %s", l.Address())
	return nil
}

// roleFlags are the owners and moderators that list set adds and removes.
type roleFlags struct{ owner, moderator, notOwner, notModerator []string }

func (a *app) listSetCommand() *cobra.Command {
	var roles roleFlags
	cmd := &cobra.Command{
		Use:   "set LIST KEY=VALUE…",
		Short: "Change a list's settings, all or none",
		Long:  "Change a list's settings, all or none:\n\n" + settingsHelp(lists.Settings()),
		Args:  arguments(1, -1),
	}
	cmd.Flags().StringSliceVar(&roles.owner, "add-owner", nil, "make this address an owner")
	cmd.Flags().StringSliceVar(&roles.notOwner, "rm-owner", nil, "this address is no owner any more")
	cmd.Flags().StringSliceVar(&roles.moderator, "add-moderator", nil, "make this address a moderator")
	cmd.Flags().StringSliceVar(&roles.notModerator, "rm-moderator", nil, "this address is no moderator any more")
	cmd.RunE = a.with(func(ctx context.Context, _ *cobra.Command, s *services, args []string) error {
		todo, err := changes(args[1:])
		if err != nil {
			return err
		}
		if len(todo) == 0 && roles.empty() {
			return usagef("nothing to set: give KEY=VALUE, or --add-owner and the like")
		}
		l, err := s.list(ctx, args[0])
		if err != nil {
			return err
		}
		if err := s.readSecrets(todo); err != nil {
			return err
		}
		if l, err = s.lists.SetList(ctx, lists.CLI(), l.ID, todo); err != nil {
			return asUsage(err)
		}
		if err := roles.apply(ctx, s, l); err != nil {
			return err
		}
		for _, c := range todo {
			s.say("%s: %s = %s", l.Address(), c.Key, l.Get(c.Key))
		}
		return s.printListJSON(ctx, l)
	})
	return cmd
}

// readSecrets takes from standard input what would be seen by all in a command line: KEY=-.
func (s *services) readSecrets(todo []lists.Change) (err error) {
	for i, c := range todo {
		isSecret := slices.ContainsFunc(lists.RuleSettings(), func(setting lists.Setting) bool { return setting.Key == c.Key && setting.Secret })
		if isSecret && c.Value == "-" {
			if todo[i].Value, err = firstLine(s.stdin); err != nil {
				return usagef("%s=-: standard input has nothing in its first line", c.Key)
			}
		}
	}
	return nil
}

func (r roleFlags) empty() bool {
	return len(slices.Concat(r.owner, r.notOwner, r.moderator, r.notModerator)) == 0
}

// apply adds before it removes: the last owner can hand over in one command.
func (r roleFlags) apply(ctx context.Context, s *services, l lists.List) error {
	for _, step := range []struct {
		addresses []string
		role      string
		words     string
		do        func(context.Context, lists.Actor, int64, smtp.Address, string) error
	}{
		{r.owner, lists.RoleOwner, "is an owner of", s.lists.SetRole},
		{r.moderator, lists.RoleModerator, "is a moderator of", s.lists.SetRole},
		{r.notOwner, lists.RoleOwner, "is no owner any more of", s.lists.RemoveRole},
		{r.notModerator, lists.RoleModerator, "is no moderator any more of", s.lists.RemoveRole},
	} {
		addresses, err := parseAddresses(step.addresses)
		if err != nil {
			return err
		}
		for _, address := range addresses {
			if err := step.do(ctx, lists.CLI(), l.ID, address, step.role); err != nil {
				return err
			}
			s.say("%s %s %s", address, step.words, l.Address())
		}
	}
	return nil
}

// settingsHelp is a table of settings for the help of a command.
func settingsHelp(settings []lists.Setting) string {
	var b strings.Builder
	for _, s := range settings {
		b.WriteString("  " + s.Key + "=" + s.Takes() + "\n      " + s.Doc)
		if s.Default != "" {
			b.WriteString(" Default: " + s.Default + ".")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// asUsage makes input that a service refused a mistake in the command line.
func asUsage(err error) error {
	if lists.KindOf(err) == lists.Invalid {
		return usageError{err}
	}
	return err
}

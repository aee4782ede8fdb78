package lists

import (
	"context"
	"fmt"
)

// tellJoined mails a new member, the owners, both or nobody.
func (s *Service) tellJoined(ctx context.Context, q querier, l List, m Member, welcome, owners bool) error {
	if welcome {
		if err := s.tellMember(ctx, q, NoticeWelcome, l, m); err != nil {
			return err
		}
	}
	if !owners {
		return nil
	}
	return s.tellOwners(ctx, q, NoticeMemberJoined, l, AboutMemberParams{
		Address: m.Address, Name: m.Name, URL: s.url("manage", "lists", l.Address().String(), "members"),
	})
}

// tellAlready answers a member who asked to join once a day, so that nobody waits for a
// confirmation that never comes and nobody can be flooded with this answer.
func (s *Service) tellAlready(ctx context.Context, q querier, l List, m Member) error {
	within, err := s.count(ctx, q, s.limits.alreadyMember, fmt.Sprintf("%d:%s", l.ID, m.Key))
	if err != nil || !within {
		return err
	}
	return s.tellMember(ctx, q, NoticeAlreadyMember, l, m)
}

// tellMember mails a member about their own membership.
func (s *Service) tellMember(ctx context.Context, q querier, kind string, l List, m Member) error {
	sealer, err := s.sealer(ctx, q)
	if err != nil {
		return err
	}
	return queueNotice(ctx, q, Notice{Kind: kind, List: l.ID, Address: m.Address, Language: m.Language, Params: MemberParams{
		URL: s.listURL(l), LeaveURL: s.url("leave", sealer.Leave(l.ID, m.ID)),
	}})
}

// tellLeft mails somebody who is no longer a member.
func (s *Service) tellLeft(ctx context.Context, q querier, l List, m Member) error {
	return queueNotice(ctx, q, Notice{
		Kind: NoticeGoodbye, List: l.ID, Address: m.Address, Language: m.Language, Params: MemberParams{URL: s.listURL(l)},
	})
}

func (s *Service) listURL(l List) string { return s.url("lists", l.Address().String()) }

// tellOwners mails each owner of a list.
func (s *Service) tellOwners(ctx context.Context, q querier, kind string, l List, params any) error {
	roles, err := selectRoles(ctx, q, l.ID)
	if err != nil {
		return fmt.Errorf("roles of %s: %w", l.Address(), err)
	}
	for _, r := range roles {
		if r.Role != RoleOwner {
			continue
		}
		if err := queueNotice(ctx, q, Notice{Kind: kind, List: l.ID, Address: r.Address, Params: params}); err != nil {
			return err
		}
	}
	return nil
}

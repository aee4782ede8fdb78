package lists

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// limit is how often something may be done in a window.
type limit struct {
	name   string
	most   int
	window time.Duration
}

// limits is what one address may be mailed because somebody typed it, and what one client may ask
// for. A client is an IPv4 address or the /64 of an IPv6 one: who has one address of it has all.
type limits struct {
	confirmsPerAddress limit // over all lists
	confirmsPerClient  limit
	confirmsByMail     limit // to join or leave one list: mail may come from anywhere, in any name
	alreadyMember      limit
	signInsPerAddress  limit
	signInsPerClient   limit
	linksPerAddress    limit
	linksPerClient     limit
	badTokensPerClient limit

	approvalsPerClient   limit // wrong passwords in Approved
	approvalsPerList     limit
	heldPerList          limit // mails to moderators about held posts
	rejectionsPerAddress limit // mails to an author that a moderator rejected a post
	heldPerAddress       limit // mails to an author that a post is held
	challengesPerAddress limit // mails that ask an author whether a post is theirs
	challengesPerList    limit
	challengesPerClient  limit
	moderatedPerAddress  limit // answers to a moderator who decides by mail
	unreadPerAddress     limit // answers to a moderator that their mail decided nothing
	joinsPerList         limit // mails to moderators about requests to join
	waitingPerList       limit // daily mails to moderators
	postForwardsPerList  limit // held posts that moderators forward
	forwardsPerSender    limit // mails by one sender to one address of owners or admins
	forwardsPerAddress   limit
	answersPerAddress    limit // mails that answer commands
	latePerList          limit // mails to owners about what is late
	latePerOwner         limit
	stoppedPerList       limit // mails to owners about posts that were stopped
}

func defaultLimits() limits {
	return limits{
		confirmsPerAddress: limit{"confirm-address", 5, 24 * time.Hour},
		confirmsPerClient:  limit{"confirm-client", 30, time.Hour},
		confirmsByMail:     limit{"confirm-mail", 200, time.Hour},
		alreadyMember:      limit{"already-member", 1, 24 * time.Hour},
		signInsPerAddress:  limit{"signin-address", 10, 15 * time.Minute},
		signInsPerClient:   limit{"signin-client", 50, 15 * time.Minute},
		linksPerAddress:    limit{"link-address", 5, time.Hour},
		linksPerClient:     limit{"link-client", 20, time.Hour},
		badTokensPerClient: limit{"token-client", 100, time.Hour},

		approvalsPerClient:   limit{"approval-client", 20, time.Hour},
		approvalsPerList:     limit{"approval-list", 500, time.Hour},
		heldPerList:          limit{"held-list", 100, 24 * time.Hour},
		rejectionsPerAddress: limit{"rejected-address", 2, 24 * time.Hour},
		heldPerAddress:       limit{"held-address", 5, 24 * time.Hour},
		challengesPerAddress: limit{"challenge-address", 5, 24 * time.Hour},
		challengesPerList:    limit{"challenge-list", 200, time.Hour},
		challengesPerClient:  limit{"challenge-client", 30, time.Hour},
		moderatedPerAddress:  limit{"moderated-address", 200, 24 * time.Hour},
		unreadPerAddress:     limit{"unread-address", 5, 24 * time.Hour},
		joinsPerList:         limit{"joins-list", 100, 24 * time.Hour},
		waitingPerList:       limit{"waiting-list", 1, 12 * time.Hour},
		postForwardsPerList:  limit{"post-forward-list", 50, 24 * time.Hour},
		forwardsPerSender:    limit{"forward-sender", 30, time.Hour},
		forwardsPerAddress:   limit{"forward-address", 500, 24 * time.Hour},
		answersPerAddress:    limit{"answer-address", 10, 24 * time.Hour},
		latePerList:          limit{"late-list", 1, 24 * time.Hour},
		latePerOwner:         limit{"late-owner", 5, 24 * time.Hour},
		stoppedPerList:       limit{"stopped-list", 5, 24 * time.Hour},
	}
}

// count notes one more use by who and says whether it is still within the limit. Over the pool it is
// committed at once, so that an attempt counts whatever becomes of it; in a transaction it counts
// what the transaction does. Who "" is nobody and unlimited.
func (s *Service) count(ctx context.Context, q querier, l limit, who string) (within bool, err error) {
	if who == "" {
		return true, nil
	}
	n, err := countRate(ctx, q, l.key(who), l.window)
	if err != nil {
		return false, fmt.Errorf("limit %s: %w", l.name, err)
	}
	return n <= l.most, nil
}

// allowClient is count for a limit on clients, and an error beyond it.
func (s *Service) allowClient(ctx context.Context, l limit, client string) error {
	within, err := s.count(ctx, s.pool, l, clientKey(client))
	if err != nil || within {
		return err
	}
	return tooOften(l)
}

func tooOften(l limit) *Error {
	e := Errorf(Limited, "limited", "that was asked too often; try again in %s", waitWords(l.window))
	e.Params = map[string]any{"Minutes": int(l.window / time.Minute)}
	return e
}

func waitWords(d time.Duration) string {
	if d >= 2*time.Hour {
		return fmt.Sprintf("%d hours", int(d/time.Hour))
	}
	return fmt.Sprintf("%d minutes", int(d/time.Minute))
}

// key names a counter. Long input is not stored as it is.
func (l limit) key(who string) string {
	const most = 300
	if len(who) > most {
		who = who[:most]
	}
	return l.name + ":" + who
}

// clientKey is by what a client is counted: "" for none.
func clientKey(client string) string {
	if ap, err := netip.ParseAddrPort(client); err == nil {
		client = ap.Addr().String()
	}
	ip, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	net, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return net.String()
}

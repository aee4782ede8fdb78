package verdict

import "strconv"

// RateOver is what askRate finds.
const RateOver = "over"

func rateAnswers() []string { return []string{RateOver} }

func asksRate(f *Facts) bool { return f.Options.PostRate.Most > 0 && isOn(f.Options.RateAction) }

func needRate(*Facts) Need { return NeedRate }

func askRate(f *Facts) finding {
	found := passed()
	if f.Recent > f.Options.PostRate.Most {
		found = act(f.Options.RateAction, RateOver)
	}
	found.params = map[string]string{"posts": strconv.Itoa(f.Recent), "most": strconv.Itoa(f.Options.PostRate.Most)}
	return found
}

// askOverride finds the action that is set for the member.
func overrideAnswers() []string {
	return []string{string(Accept), string(Hold), string(Reject), string(Discard)}
}

// isOverridden leaves those alone who run the list.
func isOverridden(f *Facts) bool { return f.Standing.Moderation != "" && !f.Standing.Moderates }

func askOverride(f *Facts) finding {
	return finding{action: f.Standing.Moderation, answer: string(f.Standing.Moderation)}
}

// NewcomerNew is what askNewcomer finds.
const NewcomerNew = "new"

func newcomerAnswers() []string { return []string{NewcomerNew} }

func hasNewcomers(f *Facts) bool {
	return f.Options.NewPosts > 0 && f.Standing.Member && !f.Standing.Moderates && !f.Standing.Trusted
}

func askNewcomer(f *Facts) finding {
	if f.Standing.New {
		return act(Hold, NewcomerNew)
	}
	return passed()
}

// What askAllowed finds.
const (
	AllowedPattern = "pattern"
	AllowedList    = "list"
)

func allowedAnswers() []string { return []string{AllowedPattern, AllowedList} }

func asksAllowed(f *Facts) bool {
	return len(f.Options.Allowed) > 0 && !f.Standing.Member && !f.Standing.Moderates
}

// needNeighbour asks about other lists only where some are named and no pattern is enough.
func needNeighbour(f *Facts) Need {
	if len(f.Options.Neighbours()) == 0 || match(f.Options.Allowed, f.Message.From.Address) != "" {
		return 0
	}
	return NeedNeighbour
}

// Neighbours are the keys of the other lists whose members may post.
func (o *Options) Neighbours() []string {
	var keys []string
	for _, p := range o.Allowed {
		if p.list != "" {
			keys = append(keys, p.list)
		}
	}
	return keys
}

func askAllowed(f *Facts) finding {
	if pattern := match(f.Options.Allowed, f.Message.From.Address); pattern != "" {
		return finding{action: Accept, answer: AllowedPattern, params: map[string]string{"pattern": pattern}}
	}
	if f.Neighbour != "" {
		return finding{action: Accept, answer: AllowedList, params: map[string]string{"list": f.Neighbour}}
	}
	return passed()
}

// What askPolicy finds.
const (
	PolicyModerates  = "moderates"
	PolicyTrusted    = "trusted" // a moderator lets their posts through
	PolicyAnyone     = "anyone"
	PolicyMember     = "member"
	PolicyMembers    = "members" // what the list chose for all its members' posts
	PolicyNotMember  = "not-member"
	PolicyModeration = "moderation"
)

func policyAnswers() []string {
	return []string{PolicyModerates, PolicyTrusted, PolicyAnyone, PolicyMember, PolicyMembers, PolicyNotMember, PolicyModeration}
}

// askPolicy is what post_policy says, or what the list chose for members and for others instead.
func askPolicy(f *Facts) finding {
	found := f.policy()
	found.params = map[string]string{"policy": f.Policy}
	return found
}

func (f *Facts) policy() finding {
	if f.Standing.Moderates {
		return finding{action: Accept, answer: PolicyModerates}
	}
	if f.Standing.Trusted {
		return finding{action: Accept, answer: PolicyTrusted}
	}
	chosen, who := f.Options.NonmemberAction, PolicyNotMember
	if f.Standing.Member {
		chosen, who = f.Options.MemberAction, PolicyMembers
	}
	switch {
	case chosen != "":
		return finding{action: chosen, answer: who}
	case f.Policy == "anyone":
		return finding{action: Accept, answer: PolicyAnyone}
	case f.Policy == "moderators":
		return finding{action: Hold, answer: PolicyModeration}
	case f.Standing.Member:
		return finding{action: Accept, answer: PolicyMember}
	}
	return finding{action: Reject, answer: PolicyNotMember}
}

// ConfirmMissing is what askConfirm finds: nothing shows that the post is by whom From says.
const ConfirmMissing = "missing"

func confirmAnswers() []string { return []string{ConfirmMissing} }

func asksAuthor(f *Facts) bool { return f.Options.ConfirmUnauthenticated }

func needAnyAuthentication(*Facts) Need { return NeedAuthentication }

func askConfirm(f *Facts) finding {
	if f.AsAuthor || f.Authentication.Aligned {
		return passed()
	}
	return finding{action: Confirm, answer: ConfirmMissing}
}

package verdict

// Rules, in the order they are asked. The rule that decides is the reason of the Decision.
const (
	RuleFrom           = "from"           // From is one field with one address
	RuleBan            = "ban"            // neither the list nor the site bans the sender
	RuleLoop           = "loop"           // it comes from this very list, or has been round too often
	RuleAutomatic      = "automatic"      // a person sent it
	RuleSize           = "size"           // it is not too large
	RuleAuthor         = "author"         // who signed in posts as themselves
	RuleApproved       = "approved"       // a password in Approved lets it through
	RuleEmergency      = "emergency"      // nothing goes out now
	RuleAuthentication = "authentication" // who vouches for it
	RuleHeader         = "header"         // rules on header fields, of the site and the list
	RuleSpam           = "spam"           // the score that a filter gave it
	RuleMIME           = "mime"           // the types of its parts
	RuleRecipients     = "recipients"     // it is not to too many
	RuleSubject        = "subject"        // it has one
	RuleAddressed      = "addressed"      // the list is in To or Cc
	RuleCommand        = "command"        // it is no command that went astray
	RuleDigest         = "digest"         // it does not quote a digest
	RuleRate           = "rate"           // its author does not post too often
	RuleOverride       = "override"       // what is set for this member
	RuleNewcomer       = "newcomer"       // the member's first posts
	RuleAllowed        = "allowed"        // who may post without being a member
	RulePolicy         = "policy"         // the list's post_policy, which always decides
	RuleConfirm        = "confirm"        // whether its author has to answer a question before
)

// ruleCount is how many there are: as an array they take no memory of their own at each post.
const ruleCount = 23

// rule looks at the facts. It is asked when a list uses it.
type rule struct {
	name    string
	when    func(*Facts) bool // nil: always
	needs   func(*Facts) Need // nil: nothing
	ask     func(*Facts) finding
	answers func() []string // beside Passed: what it can say
}

// rules is the one table of what is asked, and in which order. docs/settings.md is made from it.
func rules() [ruleCount]rule {
	return [ruleCount]rule{
		{name: RuleFrom, ask: askFrom, answers: fromAnswers},
		{name: RuleBan, when: hasBans, needs: needBan, ask: askBan, answers: banAnswers},
		{name: RuleLoop, ask: askLoop, answers: loopAnswers},
		{name: RuleAutomatic, ask: askAutomatic, answers: automaticAnswers},
		{name: RuleSize, ask: askSize, answers: sizeAnswers},
		{name: RuleAuthor, ask: askAuthor, answers: authorAnswers},
		{name: RuleApproved, when: hasPassword, needs: needPassword, ask: askApproved, answers: approvedAnswers},
		{name: RuleEmergency, when: isEmergency, ask: askEmergency, answers: emergencyAnswers},
		{name: RuleAuthentication, when: asksAuthentication, needs: needAuthentication, ask: askAuthentication, answers: authenticationAnswers},
		{name: RuleHeader, when: hasHeaderRules, ask: askHeader, answers: headerAnswers},
		{name: RuleSpam, when: asksSpam, ask: askSpam, answers: spamAnswers},
		{name: RuleMIME, when: asksMIME, needs: needStructure, ask: askMIME, answers: mimeAnswers},
		{name: RuleRecipients, when: asksRecipients, ask: askRecipients, answers: recipientsAnswers},
		{name: RuleSubject, when: asksSubject, ask: askSubject, answers: subjectAnswers},
		{name: RuleAddressed, when: asksAddressed, ask: askAddressed, answers: addressedAnswers},
		{name: RuleCommand, when: asksCommand, needs: needText, ask: askCommand, answers: commandAnswers},
		{name: RuleDigest, when: asksDigest, needs: needText, ask: askDigest, answers: digestAnswers},
		{name: RuleRate, when: asksRate, needs: needRate, ask: askRate, answers: rateAnswers},
		{name: RuleOverride, when: isOverridden, ask: askOverride, answers: overrideAnswers},
		{name: RuleNewcomer, when: hasNewcomers, ask: askNewcomer, answers: newcomerAnswers},
		{name: RuleAllowed, when: asksAllowed, needs: needNeighbour, ask: askAllowed, answers: allowedAnswers},
		{name: RulePolicy, ask: askPolicy, answers: policyAnswers},
		{name: RuleConfirm, when: asksAuthor, needs: needAnyAuthentication, ask: askConfirm, answers: confirmAnswers},
	}
}

// RuleInfo is a rule for those who put it into words.
type RuleInfo struct {
	Name    string
	Answers []string // that it can give, Passed among them if it can
}

// Rules are all rules in the order they are asked.
func Rules() []RuleInfo {
	infos := make([]RuleInfo, 0, ruleCount)
	for _, r := range rules() {
		answers := r.answers()
		switch r.name {
		case RuleEmergency, RuleOverride, RulePolicy: // always find something where they are asked
		default:
			answers = append([]string{Passed}, answers...)
		}
		infos = append(infos, RuleInfo{Name: r.name, Answers: answers})
	}
	return infos
}

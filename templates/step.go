package templates

// passed is the answer of a rule that found nothing.
const passed = "pass"

// Step is a step of the trace of a post in words: what was asked, and what was found.
func (c *Catalogue) Step(rule, answer string, params map[string]string) (asked, found string) {
	asked = c.Text("rule."+rule, nil)
	if answer == passed {
		return asked, c.Text("trace.pass", nil)
	}
	data := make(map[string]any, len(params))
	for name, value := range params {
		data[name] = value
	}
	for _, id := range []string{"trace." + rule + "." + answer, "trace." + rule} {
		if c.Has(id) {
			return asked, c.Text(id, data)
		}
	}
	return asked, answer // of a version after this one
}

package templates

import (
	"maps"
	"slices"
	"text/template/parse"
)

// Samples are data of a mail of a kind, to try its source with: all that it can name, and the same with
// everything left out that may be.
func Samples(kind string) ([]map[string]any, error) {
	all, err := mails()
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, lang := range Languages() {
		t, ok := all[lang][kind]
		if !ok {
			return nil, noKind(kind)
		}
		rootNames(t.Root, named)
	}
	full, bare := siteSurroundings(), siteSurroundings()
	if named["ListAddress"] || named["ListTitle"] { // else it is a mail of the site, which knows of no list
		full, bare = surroundings(), surroundings()
	}
	for name, value := range sampleParams() {
		if named[name] {
			full[name], bare[name] = value, left(value)
		}
	}
	return []map[string]any{full, bare}, nil
}

// MailNames are what the source of a mail of a kind can name, in order.
func MailNames(kind string) ([]string, error) {
	samples, err := Samples(kind)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(samples[0])), nil
}

// rootNames collects what is named where the dot is the mail's data.
func rootNames(l *parse.ListNode, into map[string]bool) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			pipeNames(n.Pipe, into)
		case *parse.IfNode:
			pipeNames(n.Pipe, into)
			rootNames(n.List, into)
			rootNames(n.ElseList, into)
		case *parse.WithNode:
			pipeNames(n.Pipe, into)
			rootNames(n.ElseList, into)
		case *parse.RangeNode:
			pipeNames(n.Pipe, into)
			rootNames(n.ElseList, into)
		}
	}
}

func pipeNames(p *parse.PipeNode, into map[string]bool) {
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			switch arg := arg.(type) {
			case *parse.FieldNode:
				into[arg.Ident[0]] = true
			case *parse.PipeNode:
				pipeNames(arg, into)
			}
		}
	}
}

// left is a value that is there and says nothing.
func left(value any) any {
	switch value := value.(type) {
	case string:
		return ""
	case bool:
		return false
	case []any:
		return []any{}
	default:
		return value
	}
}

// siteSurroundings is what every mail can name.
func siteSurroundings() map[string]any {
	return map[string]any{"Hostname": "mail.example", "BaseURL": "https://lists.example", "Address": "bob@member.example"}
}

// surroundings is what every mail about a list can name.
func surroundings() map[string]any {
	all := siteSurroundings()
	maps.Copy(all, map[string]any{
		"ListTitle": "Garden club", "ListAddress": "garden@lists.example", "ListURL": "https://lists.example/lists/garden@lists.example",
		"OwnerAddress": "garden-owner@lists.example", "RequestAddress": "garden-request@lists.example", "LeaveAddress": "garden-leave@lists.example",
		"PostmasterAddress": "postmaster@lists.example",
	})
	return all
}

// Sample is what mails of all kinds can name, together.
func Sample() map[string]any {
	all := surroundings()
	maps.Copy(all, sampleParams())
	return all
}

// sampleParams are the parameters of mails of all kinds, as JSON has them.
func sampleParams() map[string]any {
	return map[string]any{
		"Token": "abcdefghijklmnopqrstuvwxyz", "URL": "https://lists.example/confirm/abcdefghijklmnopqrstuvwxyz",
		"Reply": "garden-confirm+abcdefghijklmnopqrstuvwxyz@lists.example", "Minutes": 15.0,
		"LeaveURL": "https://lists.example/leave/abcdefghijklmnopqrstuvwxyz", "Name": "Bob Baumann", "Reason": "We are full.\nSorry.",
		"Author": "eve@evil.example", "Subject": "Tulips", "Size": 1234.0, "MessageID": "<1@member.example>", "Sentence": "Only members may post.",
		"Answered": 1500.0, "Answer": "550 5.1.1 No such user", "Refused": 1012.0, "Host": "mx.member.example", "Copies": 1012.0, "More": false, "Others": 3.0,
		"Posts": []any{
			map[string]any{"Subject": "Tulips", "Accepted": "2026-11-24T09:12:00.5+01:00", "Copies": 1011.0, "Aside": false, "URL": "https://lists.example/manage/lists/garden@lists.example/posts/1"},
			map[string]any{"Subject": "", "Accepted": "2026-11-24T10:12:00Z", "Copies": 1.0, "Aside": false, "URL": ""},
			map[string]any{"Subject": "Roses", "Accepted": "2026-11-24T11:12:00Z", "Copies": 0.0, "Aside": true, "URL": ""},
		},
		"Places": []any{
			map[string]any{"Name": "member.example", "Copies": 1000.0, "Host": "mx.member.example", "Reply": "451 4.3.0 Try again later"},
			map[string]any{"Name": "", "Copies": 11.0, "Host": "", "Reply": ""},
			map[string]any{"Name": "b.example", "Copies": 1.0, "Host": "", "Reply": "connection refused"},
		},
		"By": "mia@a.example", "Canned": "off topic, too long", "Outcome": "decided", "About": "Tulips", "Actor": "olga@a.example", "Days": 30.0, "Requests": 2.0,
		"JoinsURL": "https://lists.example/manage/lists/garden@lists.example/joins",
		"Held": []any{
			map[string]any{"Author": "eve@evil.example", "Subject": "Tulips", "Since": "2026-11-24T09:12:00Z", "Reason": "moderation",
				"URL": "https://lists.example/manage/lists/garden@lists.example/posts/1", "Reply": "garden-confirm+abcdefghijklmnopqrstuvwxyz@lists.example"},
			map[string]any{"Author": "bob@b.example", "Subject": "", "Since": "2026-11-24T09:12:00Z", "Reason": "own words", "URL": "", "Reply": "garden-confirm+x@lists.example"},
		},
		"Help": true, "Owner": true, "Options": []any{map[string]any{"Key": "mode", "Values": "each, none"}}, "Commands": []any{"set mode=none"},
		"Results": []any{
			map[string]any{"Line": "join", "Outcome": "confirm", "Rows": nil},
			map[string]any{"Line": "info", "Outcome": "info", "Rows": []any{
				map[string]any{"Label": "answer.list", "Code": "", "Text": "Garden club"},
				map[string]any{"Label": "setting.join_policy", "Code": "setting.join_policy.open", "Text": ""},
				map[string]any{"Label": "", "Code": "", "Text": "For gardens."},
			}},
			map[string]any{"Line": "-- ", "Outcome": "end", "Rows": nil},
		},
	}
}

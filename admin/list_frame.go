package admin

import "muster/lists"

// listFrame is what the pages around one list share.
type listFrame struct {
	frame
	List   lists.List
	Rights lists.Rights
	Tab    string
}

// tab leads to one page of a list.
type tab struct{ Name, Path string }

// Tabs are the pages that are the person's to see.
func (f listFrame) Tabs() []tab {
	tabs := []tab{{"posts", ""}, {"held", "/held"}}
	if f.Rights.Manages() {
		tabs = append(tabs, tab{"members", "/members"})
	}
	if f.decidesJoins() {
		tabs = append(tabs, tab{"joins", "/joins"})
	}
	tabs = append(tabs, tab{"roles", "/roles"})
	if f.Rights.Manages() {
		tabs = append(tabs, tab{"settings", "/settings"}, tab{"rules", "/rules"}, tab{"bans", "/bans"})
	}
	return tabs
}

// decidesJoins says whether there can be requests to decide on.
func (f listFrame) decidesJoins() bool {
	return f.List.JoinPolicy == lists.JoinModerate || f.List.JoinPolicy == lists.JoinBoth || f.Tab == "joins"
}

// listFrame is the frame of a page of the visit's list. A form that failed comes back to the page
// it stands on, so that page is where a language is chosen.
func (v *visit) listFrame(tabName string) listFrame {
	f := listFrame{frame: v.frame(v.words.Text("tab."+tabName, nil) + " · " + v.list.Title()), List: v.list, Rights: v.rights, Tab: tabName}
	if f.Path == "/" {
		f.Path = v.manageURL()
	}
	return f
}

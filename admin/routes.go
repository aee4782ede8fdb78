package admin

// routes is every page there is, each with the right it asks for. What stands under :list asks it
// of that list. Services ask again, by themselves.
func (s *Site) routes() {
	const list, mine = "/lists/:list", "/manage/lists/:list"
	form, seal, upload := s.forms(), s.seals(), s.uploads()

	s.get("/", anyone, s.showLists)
	s.get("/healthz", anyone, s.health)
	s.get("/static/:file", anyone, s.static)
	s.post("/language", anyone, form, s.chooseLanguage)
	s.get(list, anyone, s.showList)
	s.post(list+"/subscribe", anyone, form, s.subscribe)
	s.post(list+"/leave", anyone, form, s.requestLeave)
	s.get("/confirm/:token", anyone, s.showConfirm)
	s.post("/confirm/:token", anyone, form, s.confirm)
	s.get("/leave/:seal", anyone, s.showLeave)
	s.post("/leave/:seal", anyone, seal, s.leave)
	s.get("/signin", anyone, s.showSignIn)
	s.post("/signin", anyone, form, s.signIn)
	s.post("/signin/link", anyone, form, s.requestSignIn)
	s.get("/signin/:token", anyone, s.showSignInLink)
	s.post("/signin/:token", anyone, form, s.signInByLink)
	s.post("/signout", anyone, form, s.signOut)

	s.get("/account", signedIn, s.showAccount)
	s.post("/account/password", signedIn, form, s.changePassword)
	s.post("/account/sessions/end", signedIn, form, s.endSession)
	s.post("/account/sessions/end-all", signedIn, form, s.endSessions)
	s.get("/manage", signedIn, s.showManage)

	s.get(mine+"/roles", moderates, s.showRoles)
	s.post(mine+"/roles", manages, form, s.addRole)
	s.post(mine+"/roles/remove", manages, form, s.removeRole)
	s.get(mine+"/settings", manages, s.showSettings)
	s.post(mine+"/settings", manages, form, s.saveSettings)
	s.get(mine+"/members", manages, s.showMembers)
	s.file(mine+"/members.csv", manages, s.exportMembers)
	s.get(mine+"/members/add", manages, s.showAddMembers)
	s.post(mine+"/members/add", manages, form, s.addMembers)
	s.get(mine+"/members/import", manages, s.showImport)
	s.post(mine+"/members/import", manages, upload, s.importMembers)
	s.get(mine+"/member", manages, s.showMember)
	s.post(mine+"/member", manages, form, s.saveMember)
	s.post(mine+"/member/remove", manages, form, s.removeMember)
	s.get(mine+"/joins", manages, s.showJoins)
	s.post(mine+"/joins", manages, form, s.decideJoin)

	s.get(mine+"/remove", administers, s.showRemoveList)
	s.post(mine+"/remove", administers, form, s.removeList)
	s.get("/manage/new", administers, s.showNewList)
	s.post("/manage/new", administers, form, s.newList)
	s.get("/manage/domains", administers, s.showDomains)
	s.post("/manage/domains", administers, form, s.addDomain)
	s.get("/manage/persons", administers, s.showPersons)
	s.post("/manage/persons", administers, form, s.addPerson)
	s.get("/manage/queue", administers, s.showQueue)
}

package admin

// mine is where the pages of a list are for those who run it.
const mine = "/manage/lists/:list"

// routes is every page there is, each with the right it asks for. What stands under :list asks it
// of that list. Services ask again, by themselves.
func (s *Site) routes() {
	const list = "/lists/:list"
	form, seal := s.forms(), s.seals()

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

	s.listRoutes()

	s.get(mine+"/remove", administers, s.showRemoveList)
	s.post(mine+"/remove", administers, form, s.removeList)
	s.get("/manage/new", administers, s.showNewList)
	s.post("/manage/new", administers, form, s.newList)
	s.get("/manage/domains", administers, s.showDomains)
	s.post("/manage/domains", administers, form, s.addDomain)
	s.get("/manage/persons", administers, s.showPersons)
	s.post("/manage/persons", administers, form, s.addPerson)
	s.get("/manage/queue", administers, s.showQueue)
	s.post("/manage/queue/hold", administers, form, s.holdMail)
	s.post("/manage/queue/release", administers, form, s.releaseMail)
}

// listRoutes are those of one list: its posts, who is on it, and what is set of it.
func (s *Site) listRoutes() {
	form, upload := s.forms(), s.uploads()

	s.get(mine, moderates, s.showPosts)
	s.get(mine+"/held", moderates, s.showHeld)
	s.get(mine+"/posts/:post", moderates, s.showPost)
	s.get(mine+"/posts/:post/progress", moderates, s.showProgress)
	s.post(mine+"/posts/:post/release", moderates, form, s.releasePost)
	s.post(mine+"/posts/:post/reject", moderates, form, s.rejectPost)
	s.post(mine+"/posts/:post/discard", moderates, form, s.discardPost)
	s.post(mine+"/posts/:post/hold", moderates, form, s.holdPost)
	s.post(mine+"/posts/:post/claim", moderates, form, s.claimPost)
	s.post(mine+"/posts/:post/unclaim", moderates, form, s.unclaimPost)
	s.post(mine+"/posts/:post/edit", moderates, form, s.editPost)
	s.post(mine+"/posts/:post/forward", moderates, form, s.forwardPost)
	s.get(mine+"/moderation", moderates, s.showModeration)
	s.post(mine+"/moderation/answer", moderates, form, s.saveAnswer)
	s.post(mine+"/moderation/answer/remove", moderates, form, s.removeAnswer)
	s.post(mine+"/moderation/trust", moderates, form, s.trustAddress)
	s.post(mine+"/moderation/distrust", moderates, form, s.distrustAddress)
	s.post(mine+"/posts/:post/pause", manages, form, s.pausePost)
	s.post(mine+"/posts/:post/resume", manages, form, s.resumePost)
	s.post(mine+"/posts/:post/cancel", manages, form, s.cancelPost)
	s.get(mine+"/roles", moderates, s.showRoles)
	s.post(mine+"/roles", manages, form, s.addRole)
	s.post(mine+"/roles/remove", manages, form, s.removeRole)
	s.get(mine+"/settings", manages, s.showSettings)
	s.post(mine+"/settings", manages, form, s.saveSettings)
	s.get(mine+"/texts", manages, s.showTexts)
	s.get(mine+"/texts/:kind/:language", manages, s.showText)
	s.post(mine+"/texts/:kind/:language", manages, form, s.saveText)
	s.get(mine+"/rules", manages, s.showRules)
	s.post(mine+"/rules", manages, form, s.saveRules)
	s.get(mine+"/bans", manages, s.showBans)
	s.post(mine+"/bans", manages, form, s.addBan)
	s.post(mine+"/bans/remove", manages, form, s.removeBan)
	s.get(mine+"/members", manages, s.showMembers)
	s.file(mine+"/members.csv", manages, s.exportMembers)
	s.get(mine+"/members/add", manages, s.showAddMembers)
	s.post(mine+"/members/add", manages, form, s.addMembers)
	s.get(mine+"/members/import", manages, s.showImport)
	s.post(mine+"/members/import", manages, upload, s.importMembers)
	s.get(mine+"/member", manages, s.showMember)
	s.post(mine+"/member", manages, form, s.saveMember)
	s.post(mine+"/member/remove", manages, form, s.removeMember)
	s.get(mine+"/joins", moderates, s.showJoins)
	s.post(mine+"/joins", moderates, form, s.decideJoin)
}

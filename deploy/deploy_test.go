// Package deploy is what installs and runs Muster. It has no Go code but these tests, which hold
// every file to what its reader will make of it.
package deploy

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/parser"
)

func TestDockerfile(t *testing.T) {
	t.Parallel()
	f, err := os.Open("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parsed, err := dockerfile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	var user, health bool
	for _, c := range stages[len(stages)-1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User != "root" && c.User != "0"
		case *instructions.HealthCheckCommand:
			health = len(c.Health.Test) > 1
		}
	}
	if !user || !health {
		t.Errorf("the image runs as an ordinary user: %v; has a health check: %v", user, health)
	}
}

func TestComposeFile(t *testing.T) {
	t.Parallel()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithName("muster"), cli.WithDiscardEnvFile)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db, muster := project.Services["db"], project.Services["muster"]
	if db.HealthCheck == nil || muster.DependsOn["db"].Condition != "service_healthy" {
		t.Error("Muster does not wait until its database is healthy")
	}
	if muster.Build == nil || len(db.Volumes) != 1 || len(muster.Volumes) != 1 {
		t.Error("Muster is not built here, or one of the services keeps its data in no volume")
	}
	if m := regexp.MustCompile(`^postgres:(\d+)`).FindStringSubmatch(db.Image); m == nil || m[1] < "15" {
		t.Errorf("the database is %s, want PostgreSQL 15 or newer", db.Image)
	}
}

// TestImageHasTheGoOfTheModule: Go's images do not fetch another toolchain than their own.
func TestImageHasTheGoOfTheModule(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`(?m)^(?:go |FROM golang:)([0-9.]+)`)
	found := map[string]string{}
	for _, name := range []string{"../go.mod", "../Dockerfile"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m := version.FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s names no version of Go", name)
		}
		found[name] = string(m[1])
	}
	if found["../go.mod"] != found["../Dockerfile"] {
		t.Errorf("the versions of Go differ: %v", found)
	}
}

// TestScripts: a shell reads each of them without complaint.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, script := range [][]string{{"sh", "-n", "need.sh"}, {"bash", "-n", "../.ci/run"}} {
		if out, err := exec.CommandContext(t.Context(), script[0], script[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v: %s", script, err, out)
		}
	}
}

// TestNeedKnowsItsThings: a misspelt thing in the Makefile is no quiet success.
func TestNeedKnowsItsThings(t *testing.T) {
	t.Parallel()
	if out, err := exec.CommandContext(t.Context(), "sh", "need.sh", "postgresq").CombinedOutput(); err == nil {
		t.Errorf("need.sh found \"postgresq\": %s", out)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "need.sh", "postgresql").CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("need.sh does not find the PostgreSQL that the tests run on: %v: %s", err, out)
	}
}

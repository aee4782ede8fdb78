package templates

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
)

const staticDir = "static"

// StaticPath is where the site serves what Static holds.
const StaticPath = "/static/"

// Static is the style sheet, the script and the icon.
func Static() fs.FS {
	sub, err := fs.Sub(files, staticDir)
	if err != nil {
		return files // only an invalid name fails, and this one is not
	}
	return sub
}

// assetURLs maps each static file to a URL that changes with its content, so that a browser may
// keep it for ever.
func assetURLs() (map[string]string, error) {
	entries, err := fs.ReadDir(files, staticDir)
	if err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	urls := make(map[string]string, len(entries))
	for _, e := range entries {
		content, err := fs.ReadFile(files, path.Join(staticDir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("static file %s: %w", e.Name(), err)
		}
		sum := sha256.Sum256(content)
		urls[e.Name()] = StaticPath + e.Name() + "?v=" + hex.EncodeToString(sum[:6])
	}
	return urls, nil
}

package sim

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/orderly-oms/orderly/internal/api"
)

// The retailer's policies, one of a kind, named after it.
//
//go:embed policies/*.yaml
var policyFiles embed.FS

const (
	// policyName is what the retailer calls its policies.
	policyName = "main"
	// plainRule is what decides while nothing is published.
	plainRule = "nearest"
	yamlMedia = "application/yaml"
)

// policyKinds are published in this sequence.
var policyKinds = []string{"payment", "availability", "promise", "sourcing"}

// payingAnyway are the kinds that do not say where orders ship from, and hold under the nearest rule as well.
const payingAnyway = 1

// publish saves the retailer's policies and puts them in force.
func (w *world) publish(ctx context.Context) error {
	kinds := policyKinds
	if w.opt.Nearest {
		kinds = kinds[:payingAnyway]
	}
	for _, kind := range kinds {
		text, err := policyFiles.ReadFile(path.Join("policies", kind+".yaml"))
		if err != nil {
			return err
		}
		at := "/v1/policies/" + kind + "/" + policyName
		q := request{method: http.MethodPut, path: at + query("reason", "the retailer opens"), media: yamlMedia, body: text}
		if err := w.admin.do(ctx, q, nil); err != nil {
			return fmt.Errorf("the %s policy: %w", kind, err)
		}
		if err := w.admin.post(ctx, "", at+"/publish", api.PolicyPublish{Reason: "the retailer opens"}, nil); err != nil {
			return fmt.Errorf("the %s policy: %w", kind, err)
		}
	}
	return nil
}

// sourcingRule names what decides where orders ship from, as the server has it.
func (w *world) sourcingRule(ctx context.Context) (string, error) {
	var page api.Page[struct {
		Name    string `json:"name"`
		InForce int64  `json:"in_force"`
	}]
	if err := w.admin.get(ctx, "/v1/policies"+query("kind", "sourcing"), &page); err != nil {
		return "", err
	}
	var names []string
	for _, p := range page.Items {
		if p.InForce > 0 {
			names = append(names, fmt.Sprintf("%s@%d", p.Name, p.InForce))
		}
	}
	if len(names) == 0 {
		return plainRule, nil
	}
	return strings.Join(names, ", "), nil
}

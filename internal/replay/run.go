package replay

import (
	"context"
	"errors"
)

func run(context.Context, Open, []Scenario, Options) ([]*Result, error) {
	return nil, errors.New("replay: not built yet")
}

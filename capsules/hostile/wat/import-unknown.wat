;; Imports an interface that nobody has heard of.
(component
  (import "evil:host/shell@1.0.0" (instance (export "exec" (func (param "command" string)))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))

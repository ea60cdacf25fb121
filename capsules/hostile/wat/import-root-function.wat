;; Imports a bare function, outside of any interface.
(component
  (import "exec" (func (param "command" string)))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))

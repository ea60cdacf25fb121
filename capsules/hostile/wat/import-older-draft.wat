;; Imports a draft that is not served: pre-releases match exactly.
(component
  (import "wasi:config/store@0.2.0-draft" (instance))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))

;; Imports an interface whose capability its manifest does not declare.
(component
  (import "soma:secret/secret@0.1.0" (instance (export "present" (func (param "name" string) (result bool)))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))

;; Exports a function over a resource, which has no form in JSON.
(component
  (type $own (resource (rep i32)))
  (export $r "thing" (type $own))
  (core func $new (canon resource.new $own))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "run") (result i32) (call $new (i32.const 7))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func (export "run") (result (own $r)) (canon lift (core func $i "run"))))

;; Exports a function over a resource, which has no form in JSON.
(component
  (type $own (resource (rep i32)))
  (core func $new (canon resource.new $own))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 7))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func $make (result (own $own)) (canon lift (core func $i "make")))
  (component $shim
    (import "thing" (type $t (sub resource)))
    (import "make" (func $f (result (own $t))))
    (export $e "thing" (type $t))
    (export "make" (func $f) (func (result (own $e)))))
  (instance $things (instantiate $shim (with "thing" (type $own)) (with "make" (func $make))))
  (export "hostile:things/things" (instance $things)))

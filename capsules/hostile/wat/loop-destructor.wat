;; An endless loop in a resource's destructor.
(component
  (core module $end (func (export "dtor") (param i32) (loop $l (br $l))))
  (core instance $e (instantiate $end))
  (type $r (resource (rep i32) (dtor (core func $e "dtor"))))
  (core func $new (canon resource.new $r))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "run") (call $drop (call $new (i32.const 7)))))
  (core instance $i (instantiate $m
    (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $i "run"))))

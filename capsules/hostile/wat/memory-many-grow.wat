;; Two memories that take turns to grow.
(component
  (core module $store
    (memory 1)
    (func (export "grow") (drop (memory.grow (i32.const 16)))))
  (core instance $a (instantiate $store))
  (core instance $b (instantiate $store))
  (core module $main
    (import "a" "grow" (func $a))
    (import "b" "grow" (func $b))
    (func (export "run") (loop $l (call $a) (call $b) (br $l))))
  (core instance $i (instantiate $main (with "a" (instance $a)) (with "b" (instance $b))))
  (func (export "run") (canon lift (core func $i "run"))))

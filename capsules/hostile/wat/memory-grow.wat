;; One memory that grows by a page until it is refused, and then goes on.
(component
  (core module $m
    (memory 1)
    (func (export "run")
      (loop $l
        (drop (memory.grow (i32.const 1)))
        (br $l))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))

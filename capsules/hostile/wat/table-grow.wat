;; A table that grows until it is refused, and then goes on.
(component
  (core module $m
    (table 1 funcref)
    (func (export "run")
      (loop $l
        (drop (table.grow (ref.null func) (i32.const 10000)))
        (br $l))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))

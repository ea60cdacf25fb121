;; An endless loop in core `start`: it runs while the component is being instantiated.
(component
  (core module $m
    (func $spin (loop $l (br $l)))
    (start $spin)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))

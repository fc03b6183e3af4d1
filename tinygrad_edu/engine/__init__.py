"""The engine, in reading order: what records, differentiates and runs again.

    arguments     what callers may pass, by name
    signatures    what operators and calls give, told to type checkers alone
    registry      the tables and clocks of all
    node          a result, and how it was computed
    recording     whether an op leaves a node, here and now
    refusals      how errors and warnings are told
    source        where an op was declared, and its text
    graph         the order of a record, and the chain rule along it
    presence      what a selection dropped sends back nothing
    differentiate the walk, with what it must look out for
    origins       results without a derivative: masks, counts, places
    backward      gradients, as readings of the graph
    tables        data frames and series, taken for arrays
    protocols     NumPy's functions and operators, and where they lead
    methods       what can be called on a tensor
    attached      hooks and notes, which few nodes have
    writing       assignment and in-place operators
    elsewhere     what other libraries call it
    tensor        an array and how it was made
    example       how an op may be called
    rules         how an op keeps its gradient rules
    calls         NumPy's ways of calling, for every op
    plans         how arguments become inputs and settings
    op            an operation, declared once
    evaluate      a record run forwards again
    folded        nodes that stand for a record of their own
    derived       a function called once, and what is derived from its record
    transforms    vjp, jvp, jacobian, hessian and the like
    checkpoint    memory for time

No page needs one below it in this list.
"""

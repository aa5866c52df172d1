"""What components exist, what their contracts say, and whether a pipeline of them fits together.

Here belongs everything that can be known without running anything: manifests, descriptors, ports,
the pipeline file, its checks and its graph, and the formats of AI4EU Experiments. What starts or
calls a component does not (`orchestrator`), nor does what speaks to people (`ui`). Components are
read, never imported; text that others wrote is compiled in a process of its own.

    manifest.py     component.yaml                     document.py    YAML with line numbers
    contract.py     descriptor sets of untrusted code  parameters.py  values against JSON schemas
    component.py    one component, all of it together  registry.py    all components there are
    protoc.py       .proto text to descriptors         onboarding.py  an image becomes a component
    store.py        the registry database
    ports.py        the two matching rules             fields.py, wire.py  links of single fields
    pipeline.py     the pipeline as data               pipeline_file.py  the pipeline as a file
    node_checks.py, link_checks.py, input_checks.py    what may run
    graph.py, plan.py  what is to run                  literals.py    values of fields, serialised
    layout.py       where the nodes of a picture go    errors.py, names.py
    flatten.py      our contracts as AI4EU takes them
    blueprint.py    blueprint.json and dockerinfo.json; blueprint_import.py, blueprint_export.py,
                    mappers.py (Splitter, Collator, DataMapper), contract_match.py,
                    component_match.py, carried_components.py
    solution.py     solutions; solution_sources.py, archive.py, deployments.py, solution_files/
    database.py     SQLite and PostgreSQL
"""

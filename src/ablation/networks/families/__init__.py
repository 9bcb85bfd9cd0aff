"""The builders of the architectures, one module per family.

A builder is ``build(input_shape, classes, layers, **arguments)``: `input_shape` is channels, height and width in pixels,
`classes` the number of outputs, `layers` the kit `ablation.networks.kit.Layers` of the layer factors that the architecture
has. What they and the arguments mean, with source and deviations, is said by the entry of the same family in
`ablation.catalogue.families`.
"""

"""Components: gRPC services with protobuf contracts, one room each.

A component's room holds its manifest, parameters, algorithm and service. Components never import
each other, the composer or the orchestrator; what they share is `components.kit`.
"""

"""A component of several services: each operation is called at its own."""

from composer.graph import compose
from composer.onboarding import onboard
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry
from orchestrator.planning import make_plan

PROTO = """
syntax = "proto3";
package demo;
message Nothing {}
message Word { string text = 1; }
service Source { rpc say(Nothing) returns (stream Word); }
service Relay { rpc repeat(Word) returns (Word); }
"""
PIPELINE = """
name: demo
nodes: {talk: {component: words}}
links: [talk.say -> talk.repeat]
"""


def test_operations_keep_their_services() -> None:
    registry = Registry([onboard("registry.example/words:1", PROTO)])
    plan = make_plan(compose(parse_pipeline(PIPELINE), registry, cycles=True))
    assert {step.key: step.path for step in plan.steps} == {
        "talk.say": "/demo.Source/say",
        "talk.repeat": "/demo.Relay/repeat",
    }

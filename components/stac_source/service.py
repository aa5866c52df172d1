"""The rpc of the component: find, choose, bring the files, emit."""

from __future__ import annotations

from collections.abc import Iterator

from components.kit import Call, InputError, MissingDataError
from components.stac_source.candidates import Candidate
from components.stac_source.catalogue import open_catalogue
from components.stac_source.faults import Faults
from components.stac_source.matching import Tally, choose
from components.stac_source.params import Parameters
from components.stac_source.staging import Staging
from protos.common.v1.item_pb2 import Item
from protos.stac_source.v1.stac_source_pb2 import SearchRequest


class StacSource:
    """Items from STAC catalogues, APIs and product folders."""

    def search(self, request: SearchRequest, call: Call[Parameters]) -> Iterator[Item]:
        """Yield the items that match, in the order asked for; by default in time order."""
        del request
        params = call.params
        faults, tally = Faults(), Tally()
        catalogue = open_catalogue(call, faults)
        found = _watched(catalogue.candidates(params), call)
        chosen, number = choose(found, params, tally)
        faults.report(call.warn)
        if not chosen:
            raise InputError(catalogue.explain(params, tally))
        if number > len(chosen):
            call.warn(
                f"more items match than `limit` ({params.limit}); "
                f"taking the first in the order of {params.sort}"
            )
        if catalogue.selects and number < tally.found:
            call.warn(
                f"the STAC API returned {tally.found - number} items that do not meet the "
                "conditions; they were left out, and others may be missing"
            )
        staging = Staging(call.storage, catalogue.local, params.assets, faults)
        emitted = 0
        for done, candidate in enumerate(chosen, start=1):
            item = staging.item(candidate)
            call.progress(done, len(chosen), candidate.id)
            if item is not None:
                emitted += 1
                yield item
        faults.report(call.warn)
        if not emitted:
            raise MissingDataError(
                f"{len(chosen)} items of {params.shown_catalogue} match, such as "
                f"{chosen[0].id}, but none of their assets can be read; the warnings say why"
            )


def _watched(candidates: Iterator[Candidate], call: Call[Parameters]) -> Iterator[Candidate]:
    """Pass candidates on until the caller goes away."""
    for candidate in candidates:
        call.check_cancelled()
        yield candidate

"""The results of search, and why each was found."""

from __future__ import annotations

from functools import cached_property
from typing import Self

import strawberry

from meshline.api.graphql.asset import Asset, PageInfo, build_page_info
from meshline.api.graphql.context import GraphView
from meshline.api.graphql.field_types import describe_field
from meshline.graph.index.results import WordMatch as FoundWord
from meshline.graph.live_graph import LiveGraph
from meshline.graph.queries.pages import SortKey, encode_cursor
from meshline.graph.queries.search import SearchResult, VectorUse, explain_hits
from meshline.graph.word_forms import Meaning, WordPlace

strawberry.enum(
    Meaning,
    name="WordMeaning",
    description=(
        "How a word of an asset means a word of a search. WORD: it is the same. INFLECTION: in another form, as a plural. BEGINNING: it"
        " begins so. PART: it has it within. SYNONYM: both mean the same in this company. ABBREVIATION: one is short for the other."
        " LEARNED: the titles of at least three tables have the one where names have the other."
        " ACRONYM: it is short for this and the words beside it. TEXT: it is in the title, description or a tag, not in a name."
        " SIMILAR: not a word, but the whole name is like the whole search, by their vectors."
    ),
)

strawberry.enum(
    WordPlace,
    description=(
        "Which part of an asset has a word. NAME: its name. CONTEXT: the name of the dataset (of a column), or the namespace. COLUMN: the"
        " name of a column of the dataset. TEXT: its title, description or a tag. INHERITED: that of a column from which its values come."
    ),
)


strawberry.enum(
    VectorUse,
    description=(
        "Whether a search compared the vectors of names, too. OFF: the server has no model for them, or the search has no words. PREPARING:"
        " many names, or the search, have no vector yet, so that words alone decided: ask again. UNAVAILABLE: the server of the model does"
        " not answer, or with another model than before, so that words alone decided; the log of meshline has the reason. PARTIAL: it did,"
        " but there are more names than may have vectors (the setting `search_vectors_most`), and those are found by their words only."
        " USED: it did."
    ),
)


@strawberry.type(description="Why an asset was found by one word of a search.")
class WordMatch:
    word: str = strawberry.field(description="Of the search.")
    found: str = strawberry.field(description="What the asset has in its place.")
    meaning: Meaning
    place: WordPlace


class FoundAssets:
    """The assets of one page of results. Explains them all at once, when the first is asked for."""

    def __init__(self, live: LiveGraph, view: GraphView, text: str, found: SearchResult) -> None:
        self._live, self._view, self._text = live, view, text
        self._nodes = [entry.node for entry in found.page.entries]

    @cached_property
    def assets(self) -> list[Asset]:
        return self._view.list_assets(self._nodes, Asset)

    @cached_property
    def reasons(self) -> list[list[FoundWord]]:
        return explain_hits(self._live, self._view.index, self._text, self._nodes)


@strawberry.type
class SearchEdge:
    page: strawberry.Private[FoundAssets]
    place: strawberry.Private[int]
    cursor: str

    @strawberry.field
    def node(self) -> Asset:
        return self.page.assets[self.place]

    @describe_field("The best reason for each word of the search that the asset covers, in the order of the words.")
    def why(self) -> list[WordMatch]:
        return [
            WordMatch(word=reason.word, found=reason.found, meaning=reason.meaning, place=reason.place)
            for reason in self.page.reasons[self.place]
        ]


@strawberry.type(description="A page of search results, the best first.")
class SearchConnection:
    page: strawberry.Private[FoundAssets]
    keys: strawberry.Private[list[tuple[SortKey, str]]]
    has_next: strawberry.Private[bool]
    has_previous: strawberry.Private[bool]
    total_count: int = strawberry.field(description="Of those that the search ranks.")
    truncated: bool = strawberry.field(description="Whether the text matches more assets than one search ranks: add words to the text.")
    vectors: VectorUse

    @classmethod
    def from_found(cls, live: LiveGraph, view: GraphView, text: str, found: SearchResult, *, after: str | None) -> Self:
        return cls(
            page=FoundAssets(live, view, text, found),
            keys=[(entry.key, view.index.assets.get_key(entry.node).id) for entry in found.page.entries],
            has_next=found.page.has_next,
            has_previous=after is not None,
            total_count=found.total,
            truncated=found.truncated,
            vectors=found.vectors,
        )

    @strawberry.field
    def nodes(self) -> list[Asset]:
        return self.page.assets

    @strawberry.field
    def edges(self) -> list[SearchEdge]:
        return [SearchEdge(page=self.page, place=place, cursor=encode_cursor(*key)) for place, key in enumerate(self.keys)]

    @strawberry.field
    def page_info(self) -> PageInfo:
        return build_page_info(self.keys, has_next=self.has_next, has_previous=self.has_previous)

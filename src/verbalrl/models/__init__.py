"""Models: what they are asked, who may ask when, what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import on_use

if TYPE_CHECKING:
    from .account import Account as Account
    from .account import Watch as Watch
    from .base import Model as Model
    from .base import Prompt as Prompt
    from .base import ask_for as ask_for
    from .base import run_sync as run_sync
    from .budget import Amount as Amount
    from .budget import Budget as Budget
    from .budget import amount_of as amount_of
    from .cache import AnswerCache as AnswerCache
    from .cache import Shelf as Shelf
    from .calls import CallContext as CallContext
    from .calls import TokensSpent as TokensSpent
    from .embeddings import OpenAIEmbedder as OpenAIEmbedder
    from .journal import Journal as Journal
    from .journal import MemoryJournal as MemoryJournal
    from .load import asks_server as asks_server
    from .load import load_model as load_model
    from .messages import MEDIA_TOKENS as MEDIA_TOKENS
    from .messages import Message as Message
    from .messages import Reply as Reply
    from .messages import Request as Request
    from .messages import clean as clean
    from .messages import clean_part as clean_part
    from .messages import clean_tool as clean_tool
    from .offline import OfflineModel as OfflineModel
    from .person import PersonModel as PersonModel
    from .prices import Price as Price
    from .prices import Prices as Prices
    from .prices import load_prices as load_prices
    from .prices import price_of as price_of
    from .remote import PROMPT_INPUTS as PROMPT_INPUTS
    from .remote import Place as Place
    from .remote import RemoteModel as RemoteModel
    from .remote import check_url as check_url
    from .retry import RetryPolicy as RetryPolicy
    from .roles import FunctionRole as FunctionRole
    from .roles import ModelRole as ModelRole
    from .roles import is_async as is_async
    from .roles import read_reply as read_reply
    from .roles import takes as takes
    from .scripted import CountingModel as CountingModel
    from .scripted import DelayedModel as DelayedModel
    from .scripted import ScriptedModel as ScriptedModel
    from .slots import Slots as Slots
    from .structured import Schema as Schema
    from .structured import UnusableReply as UnusableReply
    from .threads import Worker as Worker
    from .threads import Workers as Workers
    from .transport import MANY as MANY

on_use(
    __name__,
    {
        "account": "Account Watch",
        "base": "Model Prompt ask_for run_sync",
        "budget": "Amount Budget amount_of",
        "cache": "AnswerCache Shelf",
        "calls": "CallContext TokensSpent",
        "embeddings": "OpenAIEmbedder",
        "journal": "Journal MemoryJournal",
        "load": "asks_server load_model",
        "messages": "MEDIA_TOKENS Message Reply Request clean clean_part clean_tool",
        "offline": "OfflineModel",
        "person": "PersonModel",
        "prices": "Price Prices load_prices price_of",
        "remote": "PROMPT_INPUTS Place RemoteModel check_url",
        "retry": "RetryPolicy",
        "roles": "FunctionRole ModelRole is_async read_reply takes",
        "scripted": "CountingModel DelayedModel ScriptedModel",
        "slots": "Slots",
        "structured": "Schema UnusableReply",
        "threads": "Worker Workers",
        "transport": "MANY",
    },
)

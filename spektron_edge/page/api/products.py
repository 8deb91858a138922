"""The products of the bundle in use, of which one is measured."""

from __future__ import annotations

import functools

from ..declaration import Answer, Call, Endpoint, Told


class ProductsAnswer(Told):
    """products: names for `choose-product`, in the bundle's order; empty where it cannot be read;
    chosen: the one that is measured, null before the daemon said it."""

    products: tuple[str, ...]
    chosen: str | None


async def _products(call: Call) -> Answer:
    page = call.page
    config = await page.reading.run(page.config)
    names = await page.reading.run(functools.partial(page.sources.products, config))
    model = (page.link.known.get("model", {}).get("record") or {}).get("model") or {}
    return ProductsAnswer(products=names, chosen=model.get("product"))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/products",
        "viewer",
        "what the bundle in use can measure",
        _products,
        ProductsAnswer,
    ),
)

"""Browser profiles that tests use one after the other, each as if it were new.

The first load of the app in a new profile costs the browser three times as much processor time as the next one in the
same page, which has the scripts at hand: so a page that a test has left is cleared, and the next test gets it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page

from .screen import SIZES

PATIENCE = 60_000
"""Milliseconds before a page gives up: a busy machine is slow, and waiting longer costs a passing test nothing."""


@dataclass(eq=False)
class Profile:
    """A page in a profile of its own. `script`: it runs before any other in every document, for ever."""

    page: Page
    size: str
    script: str
    origins: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.script:
            self.page.context.add_init_script(self.script)
        self.page.context.set_default_timeout(PATIENCE)
        self.page.on(
            "framenavigated", lambda frame: self.origins.add("{0.scheme}://{0.netloc}".format(urlsplit(frame.url)))
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.errors.append(said.text) if "Content Security Policy" in said.text else None,
        )

    def dress(self, scheme: str) -> None:
        """The window's size, the colour scheme, and a reader who asks for stillness."""
        width, height = SIZES[self.size]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]

    def forget(self) -> None:
        """Nothing of what it was used for is left: pages, cookies, stores, history, what was granted or rerouted."""
        page, context = self.page, self.page.context
        for other in context.pages:
            if other is not page:
                other.close()
        page.unroute_all(behavior="ignoreErrors")
        if self.origins:
            page.evaluate("try { sessionStorage.clear() } catch { /* a page without a store */ }")
        page.goto("about:blank")
        page.mouse.move(0, 0)
        context.clear_cookies()
        context.clear_permissions()
        session = context.new_cdp_session(page)
        for origin in self.origins:
            session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
        session.send("Page.resetNavigationHistory")
        session.detach()
        self.origins.clear()


class Profiles:
    """Those of one browser."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: dict[str, list[Profile]] = defaultdict(list)

    def take(self, size: str = "desktop", scheme: str = "light", script: str = "") -> Profile:
        """One that nobody uses, or a new one; with a script always a new one."""
        if self._free[size] and not script:
            profile = self._free[size].pop()
        else:
            profile = Profile(self._browser.new_context(has_touch=size == "phone").new_page(), size, script)
        profile.dress(scheme)
        return profile

    def give_back(self, profile: Profile) -> list[str]:
        """What its pages' scripts raised; the next one who asks for its size may get it."""
        errors = profile.errors[:]
        profile.errors.clear()
        if profile.script or profile.page.is_closed():
            profile.page.context.close()
        else:
            profile.forget()
            self._free[profile.size].append(profile)
        return errors

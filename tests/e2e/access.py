"""What a page owes to who cannot see it or has no mouse: names, places in the tab order, visible focus, no jumps.

Every check looks into open shadow roots as well. Plotly measures texts in a drawing off the screen: no picture.
"""

from __future__ import annotations

from playwright.sync_api import Page

_WALK = """
const walk = function* (root = document) {
  for (const node of root.querySelectorAll('*')) {
    yield node;
    if (node.shadowRoot) yield* walk(node.shadowRoot);
  }
};
const up = (node) => node.parentElement ?? (node.getRootNode().host || null);
const above = (node, test) => { for (let at = node; at; at = up(at)) if (test(at)) return at; return null; };
const shown = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true })
  && node.getBoundingClientRect().width > 1 && node.getBoundingClientRect().height > 1
  && !above(node, (at) => at.getAttribute('aria-hidden') === 'true' || at.inert);
const named = (node) => Boolean(node.getAttribute('aria-label')?.trim() || node.getAttribute('title')?.trim()
  || node.getAttribute('aria-labelledby') || node.querySelector(':scope > title'));
const CONTROL = 'a[href], button, input, select, textarea, summary, label, [tabindex], [role=button], [role=slider], '
  + '[role=option], [role=menuitem], [role=radio], [role=switch], [role=application]';
const say = (node) => `${node.tagName.toLowerCase()}.${node.getAttribute('class') ?? ''} `
  + node.outerHTML.slice(0, 140).replace(/base64,[^"]*/, '');
"""

_NAMELESS = f"""() => {{ {_WALK}
  const found = [];
  for (const node of walk()) {{
    if (!shown(node)) continue;
    const control = above(node, (at) => at.matches('a[href], button, [role=button]'));
    if (node.tagName === 'IMG' && !node.hasAttribute('alt')) found.push('no alt: ' + say(node));
    else if (node.tagName === 'IMG' && node.alt === '' && !(control && (named(control) || control.innerText.trim())))
      found.push('empty alt outside of a named button: ' + say(node));
    if (node.getAttribute('role') === 'img' && !named(node)) found.push('nameless picture: ' + say(node));
    if (node.getAttribute('role') === 'img') continue;
    const own = node.matches('svg:not(svg svg):not(#js-plotly-tester), canvas');
    // A chart is a figure with a text of its own; what it is drawn with needs no second one.
    const told = (at) => at.matches(CONTROL) || at.getAttribute('role') === 'img'
      || (at.getAttribute('role') === 'figure' && named(at));
    if (own && !control && !named(node) && !above(up(node), told) && node.getAttribute('role') !== 'presentation')
      found.push('nameless drawing: ' + say(node));
  }}
  return [...new Set(found)];
}}"""

_UNREACHABLE = f"""() => {{ {_WALK}
  const found = [];
  for (const node of walk()) {{
    if (!shown(node) || getComputedStyle(node).cursor !== 'pointer') continue;
    const parent = up(node);
    if (parent && getComputedStyle(parent).cursor === 'pointer') continue;
    if (above(node, (at) => at.matches(CONTROL)) || node.querySelector(CONTROL)) continue;
    found.push(say(node));
  }}
  return found;
}}"""

# Transitions would show their first frame, in which nothing has changed yet.
_UNMARKED = f"""() => {{ {_WALK}
  const still = document.createElement('style');
  still.textContent = '* {{ transition: none !important; animation: none !important }}';
  document.head.append(still);
  const LOOKS = ['outlineStyle', 'outlineWidth', 'outlineColor', 'boxShadow', 'borderTopColor', 'borderTopWidth',
    'backgroundColor', 'stroke', 'strokeWidth', 'textDecorationLine', 'color', 'opacity'];
  const look = (node) => {{
    const near = [node, ...[...node.querySelectorAll('*')].slice(0, 12)];
    for (let at = up(node), far = 0; at && far < 3; at = up(at), far++) near.push(at);
    const styles = near.map((at) => getComputedStyle(at));
    return styles.map((style) => LOOKS.map((name) => style[name]).join()).join('|');
  }};
  const found = [], before = document.activeElement;
  for (const node of walk()) {{
    if (!node.matches('a[href], button, input, select, textarea, summary, [tabindex]') || node.tabIndex < 0
      || node.disabled || above(node, (at) => at.inert || at.getAttribute('aria-hidden') === 'true')) continue;
    if (!node.checkVisibility({{ visibilityProperty: true }}) || !node.getClientRects().length) continue;
    node.blur();
    const plain = look(node);
    node.focus({{ preventScroll: true, focusVisible: true }});
    const active = node.getRootNode().activeElement === node;
    if (active && look(node) === plain) found.push(say(node));
    node.blur();
  }}
  still.remove();
  before?.focus?.({{ preventScroll: true }});
  return found;
}}"""

SHIFTS = """
window.scopeShifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.scopeShifts.push({
    value: entry.value, at: entry.startTime,
    what: entry.sources.map(({ node, previousRect: a, currentRect: b }) => {
      const at = node?.nodeType === 1 ? node : node?.parentElement;
      return `${at?.className || at?.tagName} ${a.y}->${b.y} h${a.height}->${b.height}`;
    }),
  });
}).observe({ type: "layout-shift", buffered: true });
"""
"""The script of a profile whose pages keep their layout shifts."""


def nameless(page: Page) -> list[str]:
    """Pictures and drawings that nobody can hear about: no alt text, no label."""
    return list(page.evaluate(_NAMELESS))


def unreachable(page: Page) -> list[str]:
    """What shows a hand under the mouse and is no control for the keyboard, nor holds one."""
    return list(page.evaluate(_UNREACHABLE))


def unmarked(page: Page) -> list[str]:
    """Controls that look the same with the focus on them."""
    return list(page.evaluate(_UNMARKED))


def shifts(page: Page) -> list[dict[str, object]]:
    """The layout shifts since the page was opened that nobody's input caused: value, when, and what moved."""
    return list(page.evaluate("window.scopeShifts"))

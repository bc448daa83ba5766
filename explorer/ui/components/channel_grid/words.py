"""The channel grid's texts, sent with its maps: the JavaScript fills in what only the browser knows."""

from string import Formatter

from model.words import N_, ngettext, tr

# What stands between two ** is bold.
TEXTS = {
    "order": N_("Order"),
    "scale": N_("Scale"),
    "channel": N_("Channel"),
    "index": N_("Index"),
    "shared": N_("Shared scale"),
    "per_channel": N_("Per channel"),
    "no_channel": N_("No channel selected"),
    "no_position": N_("No position selected"),
    "hover": N_("Point at a map or tap it to read a value."),
    "hover_small": N_(
        "The maps are drawn smaller than they are: point at them or tap them to read every value."
    ),
    "click_channel": N_("Click or tap a channel, use the arrow keys or type a number to select one."),
    "click_position": N_("Click or tap a position to select it."),
    "click_mark": N_(
        "Click or tap a channel to mark it or to take its mark away. With a mouse, drag over several, or "
        "click with Shift to reach from the last one."
    ),
    "keys_mark": N_("Arrow keys move, Space marks, with Shift they mark as they move."),
    "marked": N_("marked"),
    "keys_channel": N_("Arrow keys, Home and End move between channels; digits select one."),
    "keys_position": N_("Arrow keys move between positions."),
    "ordered_by": N_("Order: {order}."),
    "range_shared": N_("Shared scale: {range}."),
    "range_alone": N_("Scale: {range}."),
    "range_each": N_("Each map has its own scale."),
    "about_channel": N_("**Channel {channel}** · mean {mean} · from {low} to {high}"),
    "about_channel_with_zeros": N_(
        "**Channel {channel}** · mean {mean} · from {low} to {high} · {zeros} of its positions are zero"
    ),
    "about_position": N_("**Row {row}, column {column}**: {value}"),
    "tip_position": N_("row {row}, column {column}"),
    "tip_channel": N_("channel {channel} · row {row}, column {column}"),
    "ends": N_("{low} … {high}"),
    "all_zero": N_("all 0"),
    "low": N_("−max"),
    "high": N_("max"),
    "each_channel": N_("each channel"),
    "this_channel": N_("channel {channel}"),
    "colors": N_("Color scale: {range}"),
    "colors_each": N_("Color scale: each channel has its own range"),
}


def words(shape: tuple[int, ...]) -> dict[str, str]:
    """Every text of a grid of maps of `shape` (C, h, w), in the language in use, fields in braces."""
    channels, height, width = shape
    size = ngettext(
        "One map of {height} × {width} positions.",
        "{n} maps of {height} × {width} positions.",
        channels,
        height=height,
        width=width,
    )
    return {"size": size, **{name: _unfilled(template) for name, template in TEXTS.items()}}


def _unfilled(template: str) -> str:
    fields = {field for _, field, _, _ in Formatter().parse(template) if field}
    return tr(template, **{field: f"{{{field}}}" for field in fields})

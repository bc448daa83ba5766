"""What a person can do something about, in one sentence."""

from model.words import tr


class Problem(ValueError):
    """A sentence that says what is wrong and what to do, as a template with named fields.

    `str` of it is the sentence in the language in use; a page or a command shows that and nothing more.

    >>> str(Problem("{name} is empty; copy it again.", name="cat.jpg"))
    'cat.jpg is empty; copy it again.'
    """

    def __init__(self, template: str, /, **fields: object) -> None:
        super().__init__(template)
        self.template = template
        self.fields = fields

    def __str__(self) -> str:
        return tr(self.template, **self.fields)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.template, self.fields)


def _rebuilt(kind: type[Problem], template: str, fields: dict[str, object]) -> Problem:
    return kind(template, **fields)

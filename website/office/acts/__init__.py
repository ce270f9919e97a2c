"""Operations by what they are about. Each only calls what the site's own services offer."""

from website.office.acts import books, people, players, raffles, rooms, stock, texts
from website.office.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *rooms.OPERATIONS,
    *raffles.OPERATIONS,
    *stock.OPERATIONS,
    *players.OPERATIONS,
    *books.OPERATIONS,
    *texts.OPERATIONS,
    *people.OPERATIONS,
)

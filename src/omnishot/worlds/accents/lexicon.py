"""The texts of the world `accents`: common words of many languages, and sentences of some."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

SHORTEST, LONGEST = 3, 7  # words of a sentence


@dataclass(frozen=True)
class Language:
    """Words in lower case, in the language's own spelling, and four lists of phrases, any of which form a sentence.

    `phrases`: subject, verb, object (in the case that the verb takes), and time, place or manner, which is optional.
    `split` is that of the language's voices in tables of unseen languages.
    """

    split: str
    words: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...] = ()


def _language(split: str, words: str, *phrases: str) -> Language:
    return Language(split, tuple(words.split()), tuple(tuple(part.split("|")) for part in phrases))


#: By eSpeak NG's name: numbers, colours, animals, things; forty words a language.
LANGUAGES = {
    "en": _language(
        "train",
        "one two three four five six seven eight nine ten red green blue white black yellow dog cat horse bird fish "
        "cow mouse wolf water fire sun moon star tree flower house door table bread milk night day hand eye",
        "the dog|the cat|my brother|her mother|a child|the teacher|our neighbour|the old man|she|nobody|peter|everyone",
        "sees|finds|buys|brings|draws|wants|washes|keeps|hides|paints|likes|forgets",
        "the red house|a black horse|the milk|five apples|the blue door|a small fish|some bread|three yellow birds|"
        "six cups|an open window|my green shirt|just one key",
        "today|every morning|in the garden|by the river|very quickly|at night|again|outside|before lunch|near the zoo",
    ),
    "de": _language(
        "train",
        "eins zwei drei vier fünf sechs sieben acht neun zehn rot grün blau weiß schwarz gelb hund katze pferd vogel "
        "fisch kuh maus wolf wasser feuer sonne mond stern baum blume haus tür tisch brot milch nacht tag hand auge",
        "der hund|die katze|mein bruder|ihre mutter|ein kind|der lehrer|unser nachbar|der alte mann",
        "sieht|findet|kauft|bringt|malt|sucht|wäscht|holt",
        "das rote haus|ein schwarzes pferd|die milch|fünf äpfel|die blaue tür|einen kleinen fisch|etwas brot|"
        "drei gelbe vögel",
        "heute|jeden morgen|im garten|am fluss|sehr schnell|in der nacht",
    ),
    "fr": _language(
        "train",
        "un deux trois quatre cinq six sept huit neuf dix rouge vert bleu blanc noir jaune chien chat cheval oiseau "
        "poisson vache souris loup eau feu soleil lune étoile arbre fleur maison porte table pain lait nuit jour main "
        "œil",
    ),
    "es": _language(
        "train",
        "uno dos tres cuatro cinco seis siete ocho nueve diez rojo verde azul blanco negro amarillo perro gato caballo "
        "pájaro pez vaca ratón lobo agua fuego sol luna estrella árbol flor casa puerta mesa pan leche noche día mano "
        "ojo",
        "el perro|la gata|mi hermano|su madre|un niño|la maestra|nuestro vecino|el viejo",
        "ve|encuentra|compra|trae|dibuja|quiere|lava|guarda",
        "la casa roja|un caballo negro|la leche|cinco manzanas|la puerta azul|un pez pequeño|el pan|"
        "tres pájaros amarillos",
        "hoy|cada mañana|en el jardín|junto al río|muy rápido|por la noche",
    ),
    "it": _language(
        "train",
        "uno due tre quattro cinque sei sette otto nove dieci rosso verde blu bianco nero giallo cane gatto cavallo "
        "uccello pesce mucca topo lupo acqua fuoco sole luna stella albero fiore casa porta tavolo pane latte notte "
        "giorno mano occhio",
        "il cane|la gatta|mio fratello|sua madre|un bambino|la maestra|il nostro vicino|il vecchio",
        "vede|trova|compra|porta|disegna|vuole|lava|prende",
        "la casa rossa|un cavallo nero|il latte|cinque mele|la porta blu|un piccolo pesce|il pane|tre uccelli gialli",
        "oggi|ogni mattina|in giardino|vicino al fiume|molto in fretta|di notte",
    ),
    "pt": _language(
        "train",
        "um dois três quatro cinco seis sete oito nove dez vermelho verde azul branco preto amarelo cão gato cavalo "
        "pássaro peixe vaca rato lobo água fogo sol lua estrela árvore flor casa porta mesa pão leite noite dia mão "
        "olho",
    ),
    "nl": _language(
        "train",
        "een twee drie vier vijf zes zeven acht negen tien rood groen blauw wit zwart geel hond kat paard vogel vis "
        "koe muis wolf water vuur zon maan ster boom bloem huis deur tafel brood melk nacht dag hand oog",
        "de hond|de kat|mijn broer|haar moeder|een kind|de leraar|onze buurman|de oude man",
        "ziet|vindt|koopt|brengt|tekent|zoekt|wast|haalt",
        "het rode huis|een zwart paard|de melk|vijf appels|de blauwe deur|een kleine vis|wat brood|drie gele vogels",
        "vandaag|elke morgen|in de tuin|bij de rivier|heel snel|in de nacht",
    ),
    "sv": _language(
        "train",
        "ett två tre fyra fem sex sju åtta nio tio röd grön blå vit svart gul hund katt häst fågel fisk ko mus varg "
        "vatten eld sol måne stjärna träd blomma hus dörr bord bröd mjölk natt dag hand öga",
    ),
    "pl": _language(
        "train",
        "jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć czerwony zielony niebieski biały czarny żółty "
        "pies kot koń ptak ryba krowa mysz wilk woda ogień słońce księżyc gwiazda drzewo kwiat dom drzwi stół chleb "
        "mleko noc dzień ręka oko",
    ),
    "ro": _language(
        "train",
        "unu doi trei patru cinci șase șapte opt nouă zece roșu verde albastru alb negru galben câine pisică cal "
        "pasăre pește vacă șoarece lup apă foc soare lună stea copac floare casă ușă masă pâine lapte noapte zi mână "
        "ochi",
    ),
    "cs": _language(
        "train",
        "jeden dva tři čtyři pět šest sedm osm devět deset červený zelený modrý bílý černý žlutý pes kočka kůň pták "
        "ryba kráva myš vlk voda oheň slunce měsíc hvězda strom květ dům dveře stůl chléb mléko noc den ruka oko",
    ),
    "ru": _language(
        "train",
        "один два три четыре пять шесть семь восемь девять десять красный зелёный синий белый чёрный жёлтый собака "
        "кошка лошадь птица рыба корова мышь волк вода огонь солнце луна звезда дерево цветок дом дверь стол хлеб "
        "молоко ночь день рука глаз",
    ),
    "hu": _language(
        "val",
        "egy kettő három négy öt hat hét nyolc kilenc tíz piros zöld kék fehér fekete sárga kutya macska ló madár hal "
        "tehén egér farkas víz tűz nap hold csillag fa virág ház ajtó asztal kenyér tej éjszaka nappal kéz szem",
    ),
    "id": _language(
        "val",
        "satu dua tiga empat lima enam tujuh delapan sembilan sepuluh merah hijau biru putih hitam kuning anjing "
        "kucing kuda burung ikan sapi tikus serigala air api matahari bulan bintang pohon bunga rumah pintu meja roti "
        "susu malam hari tangan mata",
        "anjing itu|kucing itu|kakak saya|ibunya|seorang anak|guru kami|tetangga kami|orang tua itu",
        "melihat|menemukan|membeli|membawa|menggambar|mencari|mencuci|menyimpan",
        "rumah merah|seekor kuda hitam|susu|lima apel|pintu biru|ikan kecil|sedikit roti|tiga burung kuning",
        "hari ini|setiap pagi|di kebun|di tepi sungai|cepat sekali|di malam hari",
    ),
    "fi": _language(
        "test",
        "yksi kaksi kolme neljä viisi kuusi seitsemän kahdeksan yhdeksän kymmenen punainen vihreä sininen valkoinen "
        "musta keltainen koira kissa hevonen lintu kala lehmä hiiri susi vesi tuli aurinko kuu tähti puu kukka talo "
        "ovi pöytä leipä maito yö päivä käsi silmä",
        "koira|kissa|veljeni|hänen äitinsä|lapsi|opettaja|naapurimme|vanha mies",
        "näkee|löytää|ostaa|tuo|piirtää|haluaa|pesee|hakee",
        "punaisen talon|mustan hevosen|maidon|viisi omenaa|sinisen oven|pienen kalan|vähän leipää|"
        "kolme keltaista lintua",
        "tänään|joka aamu|puutarhassa|joen rannalla|hyvin nopeasti|yöllä",
    ),
    "tr": _language(
        "test",
        "bir iki üç dört beş altı yedi sekiz dokuz on kırmızı yeşil mavi beyaz siyah sarı köpek kedi at kuş balık inek "
        "fare kurt su ateş güneş ay yıldız ağaç çiçek ev kapı masa ekmek süt gece gün el göz",
    ),
    "el": _language(
        "test",
        "ένα δύο τρία τέσσερα πέντε έξι επτά οκτώ εννέα δέκα κόκκινο πράσινο μπλε άσπρο μαύρο κίτρινο σκύλος γάτα "
        "άλογο πουλί ψάρι αγελάδα ποντίκι λύκος νερό φωτιά ήλιος φεγγάρι αστέρι δέντρο λουλούδι σπίτι πόρτα τραπέζι "
        "ψωμί γάλα νύχτα μέρα χέρι μάτι",
    ),
    "sw": _language(
        "test",
        "moja mbili tatu nne tano sita saba nane tisa kumi nyekundu kijani bluu nyeupe nyeusi njano mbwa paka farasi "
        "ndege samaki ng'ombe panya simba maji moto jua mwezi nyota mti ua nyumba mlango meza mkate maziwa usiku siku "
        "mkono jicho",
        "mbwa|paka|kaka yangu|mama yake|mtoto|mwalimu|jirani yetu|mzee",
        "anaona|anapata|ananunua|analeta|anachora|anataka|anaosha|anaweka",
        "nyumba nyekundu|farasi mweusi|maziwa|maembe matano|mlango wa bluu|samaki mdogo|mkate kidogo|"
        "ndege watatu wa njano",
        "leo|kila asubuhi|bustanini|karibu na mto|haraka sana|usiku",
    ),
}

#: Where English is spoken, by eSpeak NG's names.
ENGLISHES = (
    *("en", "en-us", "en-gb-scotland", "en-029"),
    *("en-gb-x-rp", "en-us-nyc", "en-gb-x-gbclan", "en-gb-x-gbcwmd"),
)


def sentence(language: Language, rng: np.random.Generator) -> str:
    """A random sentence of `SHORTEST` to `LONGEST` words, half of them with a phrase of time, place or manner."""
    parts = language.phrases if rng.random() < 0.5 else language.phrases[:-1]
    while True:
        text = " ".join(part[rng.integers(len(part))] for part in parts)
        if SHORTEST <= len(text.split()) <= LONGEST:
            return text


def sentences(language: Language) -> int:
    """The number of different sentences."""
    lengths = [[len(phrase.split()) for phrase in part] for part in language.phrases]
    combinations = itertools.product(*lengths[:-1], [0, *lengths[-1]])
    return sum(SHORTEST <= sum(combination) <= LONGEST for combination in combinations)

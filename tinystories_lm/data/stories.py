"""The embedded corpus: children's stories, written by a seeded grammar.

The grammar, RULES and PLOTS below, is plain text with four marks:

    [a|b|]    one of these, here perhaps nothing; they nest
    <name>    the rule of that name, or any word of that group, drawn anew each time
    {name}    a word of that group which the story then keeps: {toy} is one toy throughout, {toy2} another
    {hero}    a character; {friend.he}, {friend.his}, ... are a character's pronouns, {he}, {his}, ... the hero's

A line break is a space, but none after "[" and "|"; an empty line begins a paragraph.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from random import Random
from typing import NamedTuple, TypeAlias

from tinystories_lm.data.story_words import BOYS, GIRLS, HE_ANIMALS, SHE_ANIMALS, SPECIES, SURNAMES, WORDS

Phrase: TypeAlias = "list[str | Choice]"  # what is written one after the other
Choice: TypeAlias = "list[Phrase]"  # of which one is written
Draw: TypeAlias = Callable[[], float]  # the next number in [0, 1): all the chance that a story has

COOKIE_SHARE = 0.12  # of the stories are about Cookie: every example prompt of this project begins with her
INTRODUCED_SHARE = 0.85  # of the stories present their hero before anything happens

MARKS = re.compile(r"(\[|\]|\||<\w+>)")
# The article is decided last, by the word that then follows it; these vowels sound like consonants, these h are mute.
AN = re.compile(r"\b([Aa]) (?=(?!uni(?![nm])|use|usu|uku|eu|one\b|once)[aeiouAEIOU]|hour|honest|heir)")


class Character(NamedTuple):
    """Somebody of the story, written as their name."""

    name: str
    kind: str  # "dog", "girl"
    hand: str
    coat: str
    he: str
    him: str
    his: str
    himself: str
    He: str
    His: str

    def __str__(self) -> str:
        return self.name


SHE = ("she", "her", "her", "herself", "She", "Her")
HE = ("he", "him", "his", "himself", "He", "His")
COOKIE = Character("Cookie", "dog", "paw", "fur", *SHE)
PARENTS = (Character("mom", "mother", "hand", "hair", *SHE), Character("dad", "father", "hand", "hair", *HE))
ELDERS = (Character("grandma", "grandmother", "hand", "hair", *SHE), Character("grandpa", "grandfather", "hand", "hair", *HE))


class Scene(dict[str, object]):
    """What the marks in braces stand for in one story. Words are drawn when first named, no two alike in a group."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.drawn: set[tuple[str, ...]] = set()  # only ever asked, never walked through: sets have no fixed order

    def __missing__(self, key: str) -> object:
        group = key.rstrip("0123456789")
        fields, records = _groups()[group]
        record = _often_first(records, self.draw)
        while record in self.drawn:
            record = _often_first(records, self.draw)
        self.drawn.add(record)
        self.update((field + key[len(group) :], word) for field, word in zip(fields, record, strict=True))
        return self[key]


def story(seed: int, index: int) -> str:
    """Story number `index` of the corpus `seed`: 60 to 250 words of ASCII, paragraphs apart by an empty line."""
    key = hashlib.sha256(f"{seed} {index}".encode()).digest()
    draw = Random(int.from_bytes(key[:8], "big")).random  # of all of Random only this is the same in every Python
    scene = _cast(draw)
    introduced = draw() < INTRODUCED_SHARE
    hero = scene["hero"]
    assert isinstance(hero, Character)
    scene["who"] = hero if introduced else f"a little {hero.kind} named {hero}"

    text: list[str] = []
    if introduced:
        _write(_named("cookie" if hero is COOKIE else "opening"), draw, text)
        _write(_named("about_child" if hero.kind in ("girl", "boy") else "about_animal"), draw, text)
        text.append("\n\n")
    _write(_plots(), draw, text)
    _write(_named("ending"), draw, text)
    return AN.sub(r"\1n ", "".join(text).format_map(scene))


def stories(seed: int, n_bytes: int, *, first: int = 0) -> Iterator[str]:
    """Stories `first`, `first` + 1, ... until they have `n_bytes`, counting one more byte each for a separator."""
    index = first
    while n_bytes > 0:
        text = story(seed, index)
        yield text
        n_bytes -= len(text) + 1  # ASCII: a letter is a byte
        index += 1


def _cast(draw: Draw) -> Scene:
    """The characters: the friend's pronouns differ from the hero's, so that each "she" can mean only one of them."""
    scene = Scene(draw)
    hero = COOKIE if draw() < COOKIE_SHARE else _character(draw, she=draw() < 0.5)
    friend = _character(draw, she=hero.he == "he")
    pal = _character(draw, she=hero.he == "he")
    while pal.name == friend.name:
        pal = _character(draw, she=hero.he == "he")
    title, pronouns = ("Mrs.", SHE) if draw() < 0.5 else ("Mr.", HE)
    neighbor = Character(f"{title} {_often_first(_records(SURNAMES), draw)[0]}", "neighbor", "hand", "hair", *pronouns)
    scene.update(hero=hero, friend=friend, pal=pal, neighbor=neighbor)
    scene.update(parent=PARENTS[draw() < 0.4], elder=ELDERS[draw() < 0.4])
    scene.update(zip(Character._fields[4:], hero[4:], strict=True))
    return scene


def _character(draw: Draw, *, she: bool) -> Character:
    pronouns = SHE if she else HE
    if draw() < 0.45:
        (name,) = _often_first(_records(GIRLS if she else BOYS), draw)
        return Character(name, "girl" if she else "boy", "hand", "hair", *pronouns)
    (name,) = _often_first(_records(SHE_ANIMALS if she else HE_ANIMALS), draw)
    kind, hand, coat = _often_first(_records(SPECIES), draw)
    return Character(name, kind, hand, coat, *pronouns)


def _often_first(records: list[tuple[str, ...]], draw: Draw) -> tuple[str, ...]:
    """A record; the first quarter of them comes half of the time, as a few words of any language do."""
    return records[int(draw() ** 2 * len(records))]


def _write(choice: Choice, draw: Draw, text: list[str]) -> None:
    """Append one of the phrases, with all choices within it made."""
    for part in choice[int(draw() * len(choice))] if len(choice) > 1 else choice[0]:
        if isinstance(part, str):
            text.append(part)
        else:
            _write(part, draw, text)


@lru_cache
def _records(words: str) -> list[tuple[str, ...]]:
    return [tuple(part.strip() for part in record.split("/")) for record in " ".join(words.split()).split(",")]


@lru_cache
def _groups() -> dict[str, tuple[list[str], list[tuple[str, ...]]]]:
    """Every field of WORDS with all the fields of its group and their records."""
    return {field: (names.split(), _records(words)) for names, words in WORDS.items() for field in names.split()}


@lru_cache
def _named(name: str) -> Choice:
    """What <name> stands for."""
    if name in RULES:
        return [_phrase(RULES[name])]
    return [[word] for (word,) in _records(WORDS[name])]


@lru_cache
def _plots() -> Choice:
    return [_phrase(plot) for plot in PLOTS.values()]


def _phrase(text: str) -> Phrase:
    """The grammar's text with its marks resolved, but for those in braces, which are `str.format`'s."""
    text = re.sub(r"(?<=[\[|])\n\s*", "", text.strip())
    text = re.sub(r"\n\s*\n\s*", "\0", text)
    text = re.sub(r"\n\s*", " ", text).replace("\0", "\n\n")
    choices: list[Choice] = [[[]]]  # those still open, innermost last; the first has one phrase, the whole text
    for piece in MARKS.split(text):
        if piece == "[":
            choices.append([[]])
        elif piece == "|":
            choices[-1].append([])
        elif piece == "]":
            closed = choices.pop()
            choices[-1][-1].append(closed)
        elif piece.startswith("<"):
            choices[-1][-1].append(_named(piece[1:-1]))
        elif piece:
            choices[-1][-1].append(piece)
    assert len(choices) == 1, f"a bracket is not closed in: {text}"
    return choices[0][0]


RULES = {
    "cookie": """[
        Once upon a time, there was a little dog named Cookie.|
        Once upon a time, there was a little dog named Cookie.|
        [There once was|Long ago, there was|In a small village called {village}, there lived] a little dog named Cookie.|
        Cookie was a [little|small|{trait}] dog.]""",
    "opening": """[
        Once upon a time, there was a {size} {hero.kind} named {hero}.|
        Once upon a time, there was a {size} {hero.kind} named {hero}.|
        Once upon a time, [in a {homey} {house} near the {landscape}|in a village called {village}], there lived
        a {size} {hero.kind} named {hero}.|
        [There once was|Long ago, there was|Once there was] a {trait} {hero.kind} named {hero}.|
        In a small village [called {village}|by the {landscape}], there lived a {size} {hero.kind} named {hero}.|
        {hero} was a {size} {hero.kind} who lived [near the {landscape}|in a {homey} {house}|in {village}].]""",
    "about_child": """ [<loved>|<loved> <child_detail>|<child_detail> <loved>|<child_detail>|<loved> <detail>|<detail>]""",
    "about_animal": """ [<loved>|<loved>|<loved> <animal_detail>|<animal_detail> <loved>|<loved> <detail>|<detail>]""",
    "loved": """{He} [loved|loved|liked] to {hobby}[| and {hobby2}| with {his} friends| every day].""",
    "child_detail": """[
        {He} had {hair} hair and [a big smile|bright eyes|rosy cheeks|freckles on {his} nose].|
        {He} [wanted to be|dreamed of becoming] a {dream_job} one day.|
        {He} always wore a {color} {wear}[| that {his} {elder} had made for {him}].|
        {He} [could play|was learning to play] the {instrument}.]""",
    "animal_detail": """[
        {He} had [soft|shiny|warm] {coat} {hero.coat} and [bright|big|kind|sparkling] eyes.|
        {He} [always|often] wore a {color} {wear}[| that {his} {elder} had made for {him}].]""",
    "detail": """[
        {He} was [very |so |always ]{trait2}[ and {trait3}|].|
        {His} favorite color was {color2}[, and {his} favorite food was {food}|].|
        {His} favorite thing to eat was {food}.|
        {His} favorite [flower was the {flower}|animal was the {zoo}|season was {season}|game was {game}|month was {month}].|
        {He} lived with {his} [mom and dad|mom|dad|grandma|family].|
        {He} collected {collection}[ and {collection2}|] and kept them in a {container2}.|
        {He} [loved|liked] stories about {topic}.|
        Everyone in {village} knew {him}.]""",
    "ending": """[ |\n\n]The end.""",
    # times
    "day": """One [day|day|day|{fine} day|{fine} morning|{fine} afternoon|{season} day|{season} morning|{weekday}|
        {weekday} morning|{month} morning]""",
    "night": """One [night|night|dark night|windy night|{season} night|{month} night|{weekday} night]""",
    # speech and feelings
    "said": """[said|said|said|said|said <adverb>|said with a smile|said in a <voice> voice]""",
    "asked": """[asked|asked|asked|asked <asking>|wondered|wanted to know]""",
    "cried": """[cried|cried|shouted|called|called out|exclaimed|cheered|yelled]""",
    "whispered": """[whispered|whispered|said softly|said in a small voice|murmured|mumbled]""",
    "asking": """[kindly|softly|gently|politely|quietly|curiously]""",
    "voice": """[kind|gentle|soft|warm|cheerful|friendly|clear|calm]""",
    "happy": """[happy|happy|very happy|glad|so happy|full of joy|delighted|very glad|cheerful again|thrilled]""",
    "sad": """[sad|sad|very sad|upset|unhappy|so sad that {he} began to cry|gloomy|miserable|sorry for {himself}]""",
    "scared": """[scared|scared|afraid|very scared|frightened|so scared that {he} shook|nervous|terrified]""",
    "thanked": """"[Thank you|Thank you so much|Thank you, {friend}|Thanks, {friend}|Oh, thank you]!" [{hero}|{he}] <cried>.""",
    "smiled": """[smiled|smiled|gave {him} a big hug|laughed and hugged {him}|smiled and patted {his} head]""",
    "friend": """[
        {his} [good |best |dear |]friend {friend}|
        a [kind |friendly |little |{trait4} |]{friend.kind} named {friend}]""",
    # what there is to see along a way
    "sights": """[a {creature} {deed}|a {look} {sight} and a {creature} {deed}|a {creature} {deed} and a {creature2} {deed2}|
        a {sight}, a {sight2}, and a {look} {sight3}|a {look} {sight}|{neighbor} the {job}]""",
    "way": """[|||On the way, {he} saw <sights>. |On the way, {he} passed <sights>. |{He} walked past <sights>. ]""",
    "their_way": """[|||On the way, they saw <sights>. |On the way, they passed <sights>. |They walked past <sights>. ]""",
    # lessons, each for the plots that teach it
    "friendship": """[
        From that day on, {hero} and {friend} were best friends.|
        {hero} and {friend} stayed good friends [ever after|for a long, long time].|
        {hero} learned that [a good friend is better than any {present}|a friend makes every day brighter].|
        After that, {hero} and {friend} played together [every day|every {weekday2}|all {season2} long].]""",
    "helping": """[
        {hero} learned that it feels good to help others.|From that day on, {hero} always helped [those who needed it|others].|
        {He} knew now that even a small {hero.kind} can be a big help.|
        That night, {hero} fell asleep with a smile, for {he} had done something good.]""",
    "trying": """[
        {hero} learned that you get better when you keep trying.|From that day on, {hero} never gave up too soon.|
        {hero} was proud, because {he} had not given up.|
        {He} learned that everyone falls [sometimes|at first], and that the trick is to get up again.]""",
}

PLOTS = {
    "lost and found": """
        <day>, {who} could not find {his} [favorite|{color}|special|dear old|new] {lost}. [
        "Oh no! Where is my {lost}?" {he} <cried>.|{He} felt <sad>.|{He} wanted to play with it, but it was gone.]
        {He} looked under the {furniture}, but there was only a {oddment}[ and a {oddment2}|] there. {He} looked behind the
        {furniture2}, but [there was only a {oddment3}|all {he} found was a {oddment3}].
        {He} [looked|searched] in the {container} too, but it was [empty|full of {stuff}|full of {stuff} and {stuff2}].

        [Then|Soon|Just then], <friend> came [by|to visit|to the door]. "[Why are you so sad|What is wrong|What happened]?"
        {friend.he} <asked>. "I lost my {lost}," {hero} <said>. "[Do not worry|Do not cry|Cheer up]," said {friend}.
        "[When did you last see it|Where did you have it yesterday|Where did you play with it]?" {hero} thought
        [hard|for a moment]. "I had it near the {sight}," {he} said. So they [went|ran|hurried] to the {sight} together.

        [There it was!|And what did they see?] The {lost} lay [in the tall grass|under a bush|behind a stone|among the {flower2} leaves|
        right beside the {sight}]. {hero} [picked it up and held it tight|jumped for joy|danced with joy|laughed out loud]. <thanked> [
        From that day on, {hero} always put {his} {lost} away when {he} was done, so it was never lost again.|<friendship>]""",
    "sharing": """
        <day>, {who} had a [big|fresh|sweet|tasty|lovely] {snack} for lunch. {He} sat down [under a {tree} tree|on a bench|
        by the {landscape}|near a {sight}] to eat it. Then <friend> came along. {friend} looked [sad|tired|hungry], and {friend.his}
        tummy rumbled. "[What is wrong|Are you all right|Why do you look so sad]?" {hero} <asked>.
        "I am hungry," {friend} <whispered>. "[I forgot my lunch at home|My lunch fell into a puddle|A {bird} took my lunch|
        I lost my lunch on the way]."

        {hero} looked at {his} {snack}. {He} was hungry too. But {he} did not want {friend} to be sad. So {he} broke
        the {snack} into two pieces and gave one to {friend}. "[Here, this is for you|We can share|One half is for you]," {he} <said>.
        {friend} [smiled|beamed] and ate every crumb. "[Thank you|You are so kind], {hero}!" {friend.he} <cried>.

        [The next day|A few days later|Later that week], {hero} had nothing to eat, and {friend} had a [big|sweet] {snack2}. {friend.He}
        [broke it in two|cut it in half] right away. "You shared with me, so I will share with you," said {friend}. [
        They ate together and laughed.|They sat side by side and watched <sights>.] [
        {hero} learned that sharing makes two people happy.|{hero} learned that what you give comes back to you.|<friendship>]""",
    "rain": """
        <day>, {who} went [outside to play|for a walk|out to pick some {flower} blossoms|to the {landscape2} to play {game}].
        <way>[Suddenly|After a while|But soon], dark clouds covered the sun, and it began to rain.
        [Drip, drop, drip, drop!|Splash, splash!|The drops were big and cold.] {hero} had no umbrella, so
        {he} got [very wet|wet from head to toe]. {His} {wear2} was soaked, and {he} started to shiver. "[I am so cold|I am wet and cold]!" {he} <cried>.

        {He} looked around and saw a {shelter}. {He} ran to it as fast as {he} could. There {he} met <friend>, who was
        waiting for the rain to stop too. "[Come in|Sit next to me|There is room for two]," {friend} <said>. "It is dry in here." They sat close together,
        so {hero} [felt warmer|stopped shivering], and they [told each other stories about {topic}|played {game2}|sang songs|counted the raindrops|
        listened to the rain]. [
        Soon the rain stopped, and a rainbow appeared in the sky.|At last the sun came out and dried the grass.]

        {hero} ran home. {His} {parent} dried {him} with a [big|soft|warm] towel and gave {him} a [cup|bowl] of {drink}. Now {he} was warm and dry.
        [The next time dark clouds came, {hero} took an umbrella along.|{hero} was glad about the rain, because it had brought {him} a new friend.|
        "Next time I will take a raincoat," {he} <said>, and {his} {parent} laughed.]""",
    "the dark": """
        <night>, {who} was in bed and could not sleep. [It was very dark in the room.|The light was out, and the moon was behind a cloud.]
        {He} looked at the [wall|corner|door|window] and saw a [big|tall|huge|strange|black] shadow. It looked like a {monster}! {hero} was <scared>. {He} pulled
        the blanket over {his} head. "[Help|Mom|Dad|Please come]!" {he} <cried>.

        {His} {elder} heard {him} and came into the room. "[What is the matter|Why are you not asleep|What is wrong], my dear?" {elder.he} <asked>.
        "There is a {monster} [in my room|over there]!" {hero} <whispered>. {His} {elder} turned on the {light}, and they looked together.
        It was only {cause}! [{hero} had to laugh.|"Oh!" said {hero}, and {he} laughed.|{hero} felt a little silly, but much better.]
        "Things look different in the dark," said {his} {elder}. "[When you are afraid, turn on the light and look|Look closely, and the fear will go away]."

        {His} {elder} left the {light} on and [sang a quiet song|told {him} a story about {topic}|sat by {his} bed for a while|gave {him} a kiss on the nose]. Soon {hero} fell asleep
        [and dreamed of {topic2}|with a smile]. [From then on, {he} was not afraid of shadows anymore.|
        After that night, {hero} was not afraid of the dark, because {he} knew what the shadows really were.|
        {He} had learned to look before being afraid.]""",
    "noise in the night": """
        <night>, {who} woke up because of a strange noise. "{noise}, {noise}!" it went. [{hero} sat up in bed and listened.|{hero}'s heart beat fast.]
        "[Is it a {monster}|Could it be a {monster}]?" {he} <whispered>. {He} was <scared>, but {he} was also curious.

        {hero} went to {his} {parent}. "[I heard a noise|Something is out there|Do you hear that]," {he} <said>. "Let us find out what it is," said {his} {parent},
        and {parent.he} took a {light2}. They went [down the stairs|along the hall|through the kitchen] on tiptoe. They looked behind the {furniture}. Nothing! They
        looked in the {container}. There was only a {oddment}. The noise grew louder. "{noise}, {noise}!" Then {hero} [pointed|held up the light].
        It was only {source}!

        {hero} and {his} {parent} laughed [and laughed|out loud|until their tummies hurt]. [Then they drank some {drink} and went back to bed.|
        Then {his} {parent} tucked {him} into bed again.] The noise [went on|came again], but now {hero} knew what it was, so {he} was not afraid
        and fell asleep. [In the morning, {he} told everyone how brave {he} had been.|{He} had learned that it is good to find out what scares you.]""",
    "a new friend": """
        <day>, {who} saw a new {friend.kind} [near the {sight}|at the {landscape2}|across the street|sitting on a bench]. {friend.He} was all alone and looked [sad|shy|lonely].
        "[Hello|Hi], I am {hero}," {hero} <said>. "What is your name?" "My name is {friend}," the {friend.kind} <whispered>. "We just moved here from {village2}, and I do not
        know anyone."

        {hero} thought about how it feels to be alone. "Do you want to play {game} with me?" {he} <asked>. {friend} [smiled a little|nodded|looked up] and said yes. First they played {game}.
        Then they built a [big|tall|splendid|wonderful] {building} out of [sticks|boxes|blankets|old boards|blocks]. <sighting>When they were hungry, {hero} gave {friend} half of {his} {snack}.
        {friend} was not shy anymore. {friend.He} laughed and told {hero} about [{topic}|{friend.his} old home|{friend.his} collection of {collection3}].

        [When the sun went down|In the evening|When it was time to go home], {friend} said, "[This was the best day|I had so much fun|I was sad this morning, but now I am happy]!" "[Come back tomorrow|Let us
        play again tomorrow]," said {hero}. <friendship>""",
    "baking": """
        <day>, {who} wanted to bake a {bake} with {his} {elder}. They put on their aprons and washed up. {hero} [mixed|stirred] the flour and the eggs in a [big|blue|round] bowl,
        and {his} {elder} [turned on the oven|found a spoon|read the recipe]. "Now we need {missing}," said {elder.he}. But the jar was empty! "[Oh no|Oh dear]," said {hero}. "We cannot
        bake without {missing}."

        Then {hero} had an idea. {He} took a cup and [ran|walked|hurried] to {neighbor}, who lived next door. "[May I please have some {missing}|Could you lend us some {missing}, please]?" {he} <asked>.
        "[Of course|Here you are|With pleasure]," said {neighbor}, and {neighbor.he} filled the cup to the top. {hero} said thank you and carried it home <carefully>, so that nothing was spilled.

        They put the {missing} into the bowl and the dough into the oven. Soon the whole {house2} smelled [wonderful|sweet|delicious|so good]. The {bake} was [golden and warm|perfect|soft and tasty].
        {hero} cut a [big|nice] slice and took it to {neighbor}. "[This is for you, because you helped us|Without you we could not have made it]," {he} <said>. {neighbor} took a bite and <neighbor_smiled>.
        [Good neighbors help each other, and everyone had something sweet that day.|{hero} learned that it is all right to ask for help, and that it is good to say thank you.|
        From then on, they baked a {bake} every {weekday2} and always made a slice for {neighbor}.]""",
    "somebody stuck": """
        <day>, {who} was walking [by the {landscape2}|down the path|past the {sight}] when {he} heard a small sound. "[Help|Help me|Please help]!" it went. {hero} looked [around|left and right|everywhere]
        and saw a {victim} {trap}. {reason}, and now it could not get [away|free|out]. "[Do not be afraid|Hold on|Stay calm], little {victim}," {he} <said>. "I will help you."

        {hero} tried to reach the {victim}, but [{he} was too small|{he} could not do it alone|it did not work]. So {he} ran to {friend}, {his} best friend. "A {victim} is [stuck|in trouble]! [We
        need|Please bring] a {tool}!" {he} <cried>. {friend} [found|brought|fetched] a {tool} [at once|right away|from the shed], and they hurried back.
        {hero} talked to the {victim} <softly>, and {friend} took the {tool} and {rescue}. [It took a long time|It was hard work|They were very careful], but at last the {victim} was safe.

        The {victim} was so happy that it [danced in a circle|made a funny little jump|rubbed against {hero}'s leg]. "[Thank you both|I will never forget this|You are my heroes]," it said. "[We did it together|I could not have done it
        without {friend}]," said {hero}. <helping>""",
    "a broken toy": """
        <day>, {who} was playing with {his} [favorite|new|old|dear|{color}] {toy}. {He} played too wildly, and [crack|snap|oh no]! The {part} came off. {hero} [began to cry|felt <sad>].
        "My {toy} is broken!" {he} <cried>. {He} tried to put the {part} back on, but it fell off again.

        {His} {elder} [heard {him}|came to see what was wrong|put down the newspaper]. "[Let me see|Show it to me|Do not cry, my dear]," said {elder.he}. "We can mend it. All we need is {cure}." They looked in a
        {container} full of {stuff}, and there they found what they needed. {hero} held the {toy} still, and {his} {elder} fixed the {part} [slowly and carefully|with great care|with steady hands].
        "Now we must [wait a little|be patient|leave it alone until tomorrow]," {elder.he} said. {hero} waited and [ate a {snack}|drew a picture of a {zoo}|helped {his} {elder} make {supper}|looked at a book about {topic}].

        Then {hero} tried it. The {part} stayed on, and the {toy} was [as good as new|whole again|even better than before]! "[You are the best|Thank you], {elder.Name}!" {he} <cried> and hugged {his} {elder}. [From that day on, {hero} was
        careful with {his} toys.|{He} played gently now, and the {toy} never broke again.|{hero} learned that many broken things can be mended with some patience.]""",
    "the proud racer": """
        <day>, {who} and {pal} had a race. {pal} was the fastest {pal.kind} [in {village}|of all|around] and liked to show off. "[You can never beat me|You are too slow|I will win, as always]!" {pal} <cried>. They were to run from the {sight} to the {sight2}.
        "Ready, steady, go!" called {neighbor} the {job}, and off they went.

        {pal} ran so fast that {hero} was soon far behind. "[I have so much time|This is too easy]," thought {pal}, and {pal.he} [lay down for a nap under a {tree} tree|stopped to eat a {snack}|stopped to look at <one_sight>]. {hero} [was tired|had sore feet],
        but {he} did not stop. Step by step, {he} [went on|ran on|kept going]. {He} ran past a {sight3}, and {he} ran past {pal}, who did not even notice.

        When {pal} [looked up|noticed it], it was too late. {hero} had reached the {sight2} first! Everyone [cheered|clapped], and {hero} got a {prize}. "[You did not stop|You never gave up]," said {pal}. "[I am sorry that I laughed at you|Next time I will not be so proud]." {hero} [smiled|nodded]
        and shared {his} lunch with {pal.him}. [{hero} learned that slow and steady wins the race.|<trying>]""",
    "the kind racer": """
        <day>, {who} was in a big race. The winner would get a {prize}, and {hero} had practiced [all week|every day|for a whole month]. "I want to win that {prize}," {he} <said>.
        "[Ready, set, go|One, two, three, go]!" called {neighbor} the {job}. All the runners [dashed|ran|sped] past the {sight}. {hero} was in front!

        But near the {sight2}, {he} heard a cry. {friend}, a {friend.kind}, had [tripped over a root|slipped on some mud|stumbled over a stone] and hurt {friend.his} knee. {hero} looked at the finish line. It was so close! Then {he} looked at {friend}, who was crying. {hero} turned around.
        "[Lean on me|Take my {hero.hand}|I will help you]," {he} <said>. They walked [slowly|side by side|step by step] and came in last.

        [Nobody laughed|To their surprise, everyone cheered]. "[You lost the race, but you did something better|A kind heart is worth more than a fast leg]," said {neighbor}, and {neighbor.he} gave {hero} {a_prize} too. {friend}'s knee [soon felt better|was better the next day],
        because {hero} [had washed it and put a bandage on it|put a cool cloth on it]. <friendship>""",
    "a seed": """
        <day>, {his_name} {elder} gave {hero} a [tiny|small|little] seed. "[If you take care of it, it will become a {crop}|This is a {crop} seed. It needs water and sun]," said {elder.he}. {hero} dug a small hole in the garden, put the seed in, and covered it with soil.
        {He} watered it [every morning|every day|each evening].

        {hero} waited and waited. "[Why does nothing happen|Is it asleep|When will it grow]?" {he} <asked>. "[Be patient|Good things take time|Give it time]," said {his} {elder}. [One week|Ten days|Two weeks] later, a [green|tiny green] leaf came out of the ground. {hero} [jumped for joy|clapped|was <happy>]!
        But then [it did not rain for many days and {hero} forgot to water the plant|{hero} was busy playing {game} and forgot the plant], so its leaves became dry and hung down. "[Oh no, it is thirsty|I am so sorry, little plant]!" {he} <cried>. {He} ran to the {pump} and brought
        a [bucket|can|jug] of water. {He} gave the plant a long drink, and the next morning it stood up straight again.

        [All summer|Day after day|From then on], {hero} [never forgot the water|watered it and pulled out the weeds|kept the snails away]. The plant grew [and grew|as tall as the fence|bigger and bigger], until it was the [finest|best|most beautiful] {crop} in {village}. "[You took good care of it|You did this with your own work]," said
        {his} {elder}. [{hero} learned that living things need care every day.|{hero} learned to be patient.|{hero} was proud, and {he} kept a new seed for the next year.]""",
    "a birthday surprise": """
        <day>, {who} woke up <happy_up>. It was {his} birthday! {He} ran to find {friend}, but {friend} said, "[I have no time today|I am busy|I must go somewhere], {hero}." {He} went to see {pal}, but {pal} [was not at home|hurried away|closed the door quickly]. {hero} sat down by the {sight}. "Everyone forgot
        my birthday," {he} <whispered>, and {he} felt <sad>.

        In the afternoon, {hero} [walked|went] home slowly. <way>It was very quiet in the {house2}. {He} opened the door, and suddenly the lights went on. "Surprise!" everyone <cried_all>. There were [balloons|{color} balloons|paper lanterns|{flower} garlands] [on the walls|everywhere], and there was a big {flavor} cake
        with candles on it. {friend} and {pal} had been busy because they had been making the party!

        {hero} blew out the candles and made a wish. {friend} gave {him} a {present}, and {pal} gave {him} a {present2}. They [danced|sang|played {game}|ate {sweet}] until the [moon came up|stars came out]. "I thought that you forgot me," said {hero}. "[We would never forget you|How could we forget our best friend]," said {friend}. [It was
        the best birthday ever.|{hero} was the happiest {hero.kind} in {village}.|{hero} knew now that {his} friends loved {him}, even when they were busy.]""",
    "telling the truth": """
        <day>, {who} was {romp} in the house, although {his} {parent} had said not to. Then [crash|bang|oops]! {hero} bumped into the {surface}, and the [{color}|old|pretty|new] {breakable} fell down and broke into [many|tiny|a hundred] pieces. {hero} was <scared>. {He} hid the pieces [behind
        the {furniture}|under the {furniture}|in a {container}] and [went to {his} room|ran outside|said nothing].

        [At supper|In the evening|Later that day], {his} {parent} asked, "Has anybody seen my {breakable}?" {hero}'s tummy [hurt|felt funny]. {He} could [say that the cat had done it|keep quiet], but that would be a lie. {He} took a deep breath. "[I broke it|It was me]," {he} <whispered>. "I was {romp} in the house, and it fell.
        I hid the pieces. I am [very|so] sorry."

        {His} {parent} was quiet for a moment. "I am [sad|sorry] about the {breakable}," said {parent.he}, "but I am [glad|proud] that you told me the truth." Then {parent.he} <smiled_parent>. [Together they glued the pieces|They swept up the pieces together|The next day, {hero} made a new one out of clay], and {hero} felt light and happy again. [From
        that day on, {he} played outside when {he} wanted to be wild.|{hero} learned that the truth is hard to tell, but a lie is harder to carry.|{hero} learned to be honest, even when it is hard.]""",
    "learning": """
        <day>, {who} saw {pal}, who [could|knew how to] {skill}. It looked like so much fun! "[I want to do that too|I want to learn that]," said {hero}. {He} tried it right away, but {he} {fail}. {He} tried again, and again {he} {fail}. {hero} felt <sad>. "[I will never learn it|It is too hard|I give up]!" {he} <cried>.

        {His} {elder} had seen it all. "[Nobody can do it the first time|I needed a long time to learn it too|Every master was once a beginner]," said {elder.he}. "{tip}. And try a little every day." So {hero} [practiced|tried] every day [after breakfast|before supper|near the {sight}|by the {landscape2}]. [
        On Monday, it went badly. On Tuesday, it went a little better.|Sometimes {he} wanted to stop, but {he} remembered what {his} {elder} had said.|{pal} came to help and cheered for {him}.]

        Then, one {fine} morning, it worked! {hero} {deed_done}. "[I did it|Look at me|I can do it]!" {he} <cried>. {His} {elder} [clapped|laughed|cheered] and gave {him} a [{flavor} cookie|big hug|kiss]. <trying>""",
    "the wind": """
        One windy [day|morning|afternoon], {who} was [outside|on the hill|near the {sight}|in the {landscape2}] with {his} [new|favorite|{color}|beautiful] {flier}. Suddenly, a strong wind came and [took|tore|blew] the {flier} away. Up, up, up it flew, until it was caught high on a {perch}. "[Come back|Oh no, my {flier}]!" {hero} <cried>. {He} jumped,
        but it was much too high. {He} [threw a stick|shook a long stick], but {he} could not reach it.

        {neighbor} the {ladder_job} came by and saw {hero}'s sad face. "[What happened|What is wrong], {hero}?" {neighbor.he} <asked>. {hero} pointed up at the {perch}. "[Wait here|I can help you]," said {neighbor}. {neighbor.He} brought a long ladder, and {hero} held it tight at the bottom. {neighbor} climbed up, took the {flier}, and [brought it down|came down with it]
        safe and sound.

        "[Thank you|Thank you so much], {neighbor}!" {hero} <cried>. [To say thank you, {he} picked some {flower} blossoms for {neighbor.him}.|The next day, {hero} brought {neighbor.him} a {bake}.|{He} helped {neighbor.him} carry the ladder home.] [After that, {hero} held on to {his} {flier} when the wind blew.|From then on, {he} tied the {flier} to a string on windy days, and the
        wind could not take it away.|{hero} learned that it is good to ask for help when something is too high to reach.]""",
    "a hurt bird": """
        <day>, {who} found a little {bird} [under a {tree} tree|in the grass|beside the {sight}|on the path]. It could not fly, because its wing was hurt. "[Poor little {bird}|You poor thing]," {hero} <said>. {He} picked it up <gently> and took it home. <way>

        {hero} and {his} {parent} put the {bird} in a {nestbox} with soft [grass|hay|wool|moss]. {parent.He_cap} wrapped a [small|thin|clean] bandage around its wing. Every day, {hero} gave it [seeds|berries|crumbs|seeds and crumbs] and fresh water, so it became stronger. {He} named it [Hope|Feather|Pip|Sky|Tweet], and {he} [sang to it|talked to it|told it stories about {topic}].

        After [two|three|four] weeks, the wing was [healed|well again]. {hero} carried the {bird} to the window. {He} felt a little sad, but {he} knew that [birds belong in the sky|it wanted to be free]. "[Fly, little {bird}|Goodbye, my friend]!" {he} <said>. The {bird} flew up [over the {sight2}|into the blue sky|to the top of a {tree2} tree] and sang [a happy song|its
        most beautiful song]. [Every morning after that, it came to {hero}'s window to sing.|<helping>]""",
    "the picnic": """
        <day>, {who} and {friend} went on a picnic at the {landscape2}. They packed {food}, {food2}, and two [big |]{snack}s. <their_way>They [spread out|put down] a {color} blanket [under a {tree} tree|near a {sight4}|in the sun] and then went to play {game} before lunch.

        But when they came back, the blanket was full of ants! The ants [carried away crumbs|marched in a long line|were all over the food]. "[Our lunch|Oh no, ants|Our food]!" {friend} <cried>. {friend.He} wanted to chase them away. "Wait," said {hero}. "They are only hungry. [Let us make a picnic for them too|Let us give them something of their own]."
        {He} put some crumbs [on a leaf|on a flat stone|under a bush] far from the blanket. The ants smelled the crumbs and [marched away|went over to the leaf|left the blanket], one after the other.

        Now {hero} and {friend} could eat in peace. They [shared everything|ate until they were full] and [watched a {creature} {deed}|looked at the clouds|told jokes]. "You were kind to the ants, and you were clever too," said {friend}. [{hero} learned that there is enough for everyone.|<friendship>]""",
    "the cold friend": """
        One [cold|snowy|icy] [winter |]morning, {who} looked out of the window. Everything was white! {He} put on {his} [warm|thick|{color}] {chilly} and ran outside. {He} [made a snowman|made snow angels|slid down the hill|caught snowflakes]. <way>Then {he} saw {friend}, a {friend.kind}, by the {sight5}. {friend} was shivering.
        "[Why are you so cold|Where are your warm clothes|What is wrong]?" {hero} <asked>. "[The wind took my {chilly2}|I lost my {chilly2} in the snow|My {chilly2} is still wet]," said {friend}.

        {hero} thought for a moment. {He} took off {his} {chilly} and [put it around {friend}|gave it to {friend}]. "[Now you will be warm|Take it]," {he} <said>. Soon {friend} stopped shivering, but now {hero} was cold! So the two of them ran [quickly|as fast as they could] to {hero}'s {house2}. {His} {parent} made a fire and gave
        them some hot {drink}, and soon both of them were warm.

        "[You gave me your own {chilly}|You were so kind to me]," {friend} <said>. The next day, {friend} came back with a [present|surprise]. It was a new {color2} {chilly3} [that {friend.his} grandma had knitted|with a little bell on it|from the market]. {hero} [put it on|tried it on] at once. [A kind heart keeps you warm, even in the snow.|<friendship>]""",
    "too many sweets": """
        <day>, {who} found a [big|whole|secret] {container} full of {sweet}. "[Only one after lunch|You may have two, and no more|Do not eat them all]," said {his} {parent} and went into the garden. {hero} ate one. It was so [good|sweet|yummy]! {He} ate another one, and another one, and another one. {He} did not stop until the {container} was empty.

        Then {his} tummy began to [hurt|ache|rumble]. "[Ouch, ouch|Oh, my tummy]!" {he} <cried>. {He} had to lie down on the {couch}. {He} could not play {game}, and {he} could not eat {his} supper, although there was {supper}. {His} {parent} brought {him} some [mint|ginger|chamomile] tea. "I ate all the {sweet}," {hero} <whispered>. "I am sorry." "[I think that your tummy has told
        you already|Too much of a good thing is not good]," said {his} {parent} and sat down with {him}.

        [The next morning|After a long nap|The next day], {hero} felt better. [When <friend_short> brought {him} some {sweet2}, {he} ate only one and gave the others away.|{He} helped {his} {parent} bake new {sweet}, and this time {he} ate only one.] [It tasted better than all the others had.|"One is enough," {he} said.] {hero} learned that [too much is too much|a little is
        sometimes better than a lot].""",
    "hide and seek": """
        <day>, {who} played hide and seek with {friend} and {pal}. {hero} had to [count to ten|count to twenty|close {his} eyes and count]. "[Ready or not, here I come|I am coming]!" {he} <cried>. {He} looked {hideout}. Nobody was there, only a {oddment}. {He} looked {hideout2}. There was nobody either. Then [somebody|someone] {giveaway}! "[I hear you|I found you],
        {pal}!" {hero} <cried>, and {pal} came out [laughing|with a grin].

        But where was {friend}? {hero} and {pal} looked [everywhere|high and low|for a long time]. They looked {hideout3}, but there was only <small_sight>. [It was getting late|The sun went down], and they began to worry. "{friend}, come out! You win!" they called. There was no answer. Then {hero} heard a quiet sound. [Snore, snore!|It was a snore!] {He} followed the sound, and there was {friend},
        {hideout4}. {friend.He} had waited so long that {friend.he} had fallen asleep!

        {hero} [tickled|gently woke] {friend}. "[Did I win|Is it morning]?" {friend} <asked>, and all of them laughed. [They went home and had {supper} together.|"You are the best at hiding, and the best at sleeping," said {hero}.] [It had been a fun day.|<friendship>]""",
    "lost in the woods": """
        <day>, {who} went into the woods with {his} {parent} to pick [berries|mushrooms|nuts|{flower} blossoms]. "[Stay close to me|Do not go too far]," said {his} {parent}. But {hero} saw a [beautiful|tiny|pretty|funny] {lure} and followed it. {He} followed it past a {sight}, between the {tree} trees, and over a little bridge. When the {lure} was gone, {hero} looked around. {He} did not know where
        {he} was! {He} called for {his} {parent}, but nobody answered. {hero} was <scared>.

        "[Who is crying here|Why do you cry|Are you lost]?" asked a voice. It was an old {helper} on a [branch|log|stone]. "I ran after a {lure}, and now I cannot find my {parent}," {hero} <whispered>. "[Do not be afraid|Dry your tears]," said the {helper}. "Follow the {trail}. It leads [out of the woods|back to the bridge|to the {sight2}]. And do not leave it!" {hero} thanked the {helper} and did
        exactly that. Soon {he} heard someone calling {his} name.

        It was {his} {parent}! {hero} ran into {parent.his} arms. "I was so worried," said {his} {parent}. "[I am sorry that I ran away|I should have stayed with you]," said {hero}. They [went home|walked home] {hero.hand} in {parent.hand}, and there was {supper} for supper. [From that day on, {hero} stayed close to {his} {parent} in the woods.|{hero} never forgot the kind old {helper}, and {he} never ran off alone again.]""",
    "an errand": """
        <day>, the {parent} of {who_of} needed some things from the [shop|store|market]. "Please bring {grocery}, {grocery2}, and {grocery3}," said {parent.he}. "[Can you remember that|Shall I write it down]?" "[That is easy|I can remember it]," said {hero}, and {he} set off with a {container}. <way>Then {he} met {friend}, and they played {game} for a while. When {hero} came to the [counter|shop|market], {he} had forgotten
        everything! "[What did I need|Oh no, what was it]?" {he} <said>.

        {neighbor} the {shopman} smiled. "[Think of the first thing|Close your eyes and think]," said {neighbor.he}. {hero} thought of the kitchen at home, and [slowly|little by little] {he} remembered. "{grocery.cap}!" {he} <cried>. Then {he} remembered {grocery2}. But the last thing would not come back, so {he} had to go all the way home and ask. This time {he} made a little song of it. "{grocery.cap}, {grocery2},
        and {grocery3}!" {he} sang all the way, and {he} did not stop to play.

        {hero} brought everything home. "[Well done|You are a big help]," said {his} {parent} and [made {supper}|gave {him} a {flavor} cookie]. [From then on, {hero} sang a song whenever {he} had to remember something.|{hero} learned to do {his} work first and to play later.|After that, {he} always wrote a list.]""",
    "a quarrel": """
        <day>, {who} and {his} friend {friend} found {a_turns} [near the {sight}|in the attic|in the yard|behind the {sight}]. "[It is mine|I saw it first]!" said {hero}. "No, [it is mine|I want it]!" said {friend}. Both of them pulled [at it|and pulled], and neither would let go. Then {friend} let go by accident, and {hero} fell [on {his} bottom|into a puddle|into the mud]. "[You did that on purpose|I do not like you anymore]!" {he} <cried>, and {he}
        [walked away|ran home].

        At home, {hero} sat alone with the {turns}. It was no fun without {friend}. {He} [looked out of the window|ate a {snack}, but it did not taste good|read a book about {topic}, but {he} could not enjoy it]. "[What is wrong|Why so quiet]?" asked {his} {elder}, and {hero} told {elder.him} everything. "[A {turns} is good, but a friend is better|What would you like {friend} to do if you were {friend}]?|A {turns} can wait, but a friend should not]" said {his} {elder}.""",
}

"""The English of the built-in stories: names, words, rules and plots. `grammar.py` explains the marks.

Names and words are separated by commas, and the first ones of a group are drawn more often. A group with several names
holds records, whose parts are separated by slashes and are drawn together because they belong together.
"""

GIRLS = """
Lily, Mia, Anna, Sara, Emma, Lucy, Amy, Ella, Zoe, Mary, Jane, Rose, Sophie, Molly, Kate, Eva, Grace, Ruby, Alice, Nina,
Clara, Holly, Maya, Nora, Ivy, Julia, Leah, Hannah, Olivia, Ava, Chloe, Abigail, Amelia, Beth, Bella, Betty, Bonnie,
Camila, Carla, Cecilia, Claire, Cora, Diana, Dora, Edith, Eleanor, Elena, Eliza, Elsie, Emily, Esme, Esther, Fatima,
Fiona, Flora, Frances, Freya, Gemma, Gina, Gloria, Greta, Gwen, Harriet, Hazel, Heidi, Helen, Ines, Ingrid, Irene, Iris,
Isabel, Isla, Jasmine, Jenny, Jill, Josie, Joy, Judy, June, Kira, Lara, Laura, Leila, Lena, Linda, Lola, Lottie, Louise,
Luna, Mabel, Maggie, Mandy, Margot, Maria, Marta, Matilda, Mei, Millie, Mina, Miriam, Naomi, Nell, Nicole, Noor, Paula,
Pearl, Penelope, Phoebe, Polly, Priya, Rachel, Rebecca, Rita, Rosa, Sally, Selma, Stella, Susan, Sylvia, Tessa, Thea,
Tina, Uma, Vera, Viola, Wanda, Wendy, Willa, Yara, Yuki
"""

BOYS = """
Tim, Tom, Ben, Sam, Max, Jack, Leo, Noah, Finn, Jake, Luke, Adam, Oscar, Henry, Peter, Theo, Billy, Daniel, Joe, Liam,
Lucas, Mark, Nick, Paul, Anton, Owen, Simon, Toby, Will, Alan, Albert, Alex, Alfie, Amir, Andrew, Arthur, Axel, Bobby,
Boris, Brian, Bruce, Caleb, Carl, Charlie, Chris, Colin, Cyrus, David, Dennis, Diego, Dominic, Dylan, Eddie, Eli,
Elliot, Emil, Eric, Ethan, Felix, Frank, Fred, Gabriel, George, Gilbert, Gordon, Graham, Gus, Harold, Harry, Hassan,
Hector, Hugo, Ian, Isaac, Ivan, Jacob, James, Jason, Jesse, Jonah, Josh, Juan, Julian, Kai, Karim, Keith, Ken, Kevin,
Kyle, Lars, Leon, Levi, Lionel, Logan, Louis, Marco, Martin, Marvin, Mason, Matthew, Miguel, Milo, Mohamed, Nathan,
Neil, Nigel, Oliver, Omar, Otto, Patrick, Pedro, Philip, Rafael, Ralph, Raj, Ray, Ricky, Robert, Roger, Ronnie, Ryan,
Samir, Sean, Sebastian, Stanley, Steve, Stuart, Ted, Thomas, Tony, Victor, Vincent, Walter, Wesley, Yusuf, Zack
"""

# Animals have names of their own, so that a name tells its bearer's gender wherever it stands.
SHE_ANIMALS = """
Daisy, Coco, Bunny, Penny, Honey, Pippa, Dotty, Sunny, Snowy, Poppy, Misty, Tilly, Kitty, Lulu, Mimi, Fifi, Angel,
Blossom, Bluebell, Bubbles, Buttercup, Button, Candy, Caramel, Cherry, Cinnamon, Clementine, Clover, Crystal, Cupcake,
Dainty, Dandelion, Dazzle, Duchess, Fancy, Feather, Fern, Flossie, Fluffy, Freckles, Gigi, Goldie, Hattie, Heather,
Jewel, Jingle, Juniper, Kiki, Lady, Lavender, Lemon, Lilac, Lolly, Mango, Maple, Marigold, Marshmallow, Minnie, Mocha,
Muffin, Myrtle, Nutmeg, Olive, Opal, Pansy, Paprika, Peaches, Pebbles, Petal, Petunia, Pinky, Pixie, Primrose, Princess,
Pumpkin, Queenie, Rosie, Saffron, Sapphire, Sasha, Shimmer, Snowdrop, Sparkle, Sprinkles, Sugar, Sweetie, Tansy, Tinker,
Toffee, Trixie, Truffle, Tulip, Twinkle, Velvet, Violet, Whisper, Willow, Winnie, Zinnia
"""

HE_ANIMALS = """
Buddy, Spot, Benny, Teddy, Rusty, Bruno, Sparky, Patch, Rex, Biscuit, Pip, Fuzzy, Bingo, Barney, Ziggy, Acorn, Archie,
Ash, Bandit, Barkley, Bean, Blaze, Bolt, Boomer, Bouncer, Bramble, Bristle, Brownie, Bumble, Buster, Captain, Chester,
Chip, Chuckles, Clyde, Cobalt, Comet, Copper, Cosmo, Crackers, Dash, Dexter, Digger, Domino, Doodle, Duke, Dusty,
Fergus, Fidget, Flash, Flint, Frosty, Fudge, Gizmo, Grumble, Gulliver, Harvey, Hopper, Humphrey, Jasper, Jester, Jumper,
Jupiter, King, Knobby, Lucky, Major, Marble, Mittens, Moe, Mosey, Muddles, Murphy, Noodle, Nibbles, Nugget, Oakley,
Oreo, Paddy, Peanut, Pepper, Percy, Pickle, Pirate, Pogo, Popcorn, Prince, Puddle, Puffin, Quincy, Radish, Ranger,
Rascal, Ringo, Rocket, Rocky, Rolo, Rufus, Rumble, Scamper, Scooter, Scout, Scruffy, Shadow, Smokey, Snuffles, Socks,
Sprout, Storm, Taco, Tango, Thistle, Thunder, Tiger, Toast, Tucker, Tumble, Turbo, Twig, Waffles, Waldo, Whiskers,
Wiggles, Winston, Woody, Yogi, Zippy
"""

SURNAMES = """
Hill, Green, Brown, White, Baker, Bell, Wood, Lane, Pond, Field, Moss, Reed, Rivers, Stone, Winter, Summers, Applegate,
Barnes, Bellamy, Bixby, Bloom, Bramley, Brooks, Butterworth, Carter, Chen, Clay, Collins, Cooper, Crumb, Dawson, Dimple,
Doyle, Drake, Evans, Finch, Fletcher, Flores, Fox, Garcia, Gibson, Goodwin, Gray, Griffin, Hawkins, Higgins, Hopkins,
Hudson, Jenkins, Johnson, Kelly, Khan, Kim, Larkin, Lopez, Marsh, Mason, Miller, Morgan, Murphy, Nelson, Nguyen, Olsen,
Parker, Patel, Perkins, Pickett, Porter, Potts, Quimby, Robinson, Rossi, Sanders, Shepherd, Silva, Singh, Smith,
Sparrow, Tanaka, Taylor, Thornton, Tucker, Turner, Wagner, Walker, Watson, Webster, Whitaker, Wilson, Young
"""

# species/what it holds things with/what covers it
SPECIES = """
dog/paw/fur, cat/paw/fur, rabbit/paw/fur, bear/paw/fur, mouse/paw/fur, fox/paw/fur, puppy/paw/fur, kitten/paw/fur,
squirrel/paw/fur, duck/wing/feathers, pig/hoof/ears, lamb/hoof/wool, pony/hoof/mane, hedgehog/paw/spines,
owl/wing/feathers, bunny/paw/fur, hamster/paw/fur, monkey/paw/fur, lion/paw/fur, panda/paw/fur, raccoon/paw/fur,
goat/hoof/ears, elephant/trunk/ears, badger/paw/fur, beaver/paw/fur, otter/paw/fur, mole/paw/fur, koala/paw/fur,
tiger/paw/fur, penguin/wing/feathers, chick/wing/feathers, donkey/hoof/ears, calf/hoof/ears, wolf/paw/fur,
deer/hoof/fur, chipmunk/paw/fur, gosling/wing/feathers, piglet/hoof/ears, zebra/hoof/mane, giraffe/hoof/fur,
kangaroo/paw/fur, dragon/claw/wings, robin/wing/feathers, weasel/paw/fur, ferret/paw/fur, lynx/paw/fur, moose/hoof/ears,
meerkat/paw/fur
"""

# Grouped by what can be done with them: nobody eats a chair.
WORDS = {
    # who and where
    "size": "little, little, little, small, young, tiny",
    "trait": """
        kind, brave, curious, gentle, cheerful, friendly, clever, happy, playful, shy, funny, silly, polite, helpful,
        lively, quiet, careful, honest, sweet, smart, merry, patient, bold, generous, thoughtful, loyal, hopeful, jolly,
        caring, adventurous, bouncy, bright, calm, charming, chatty, courageous, creative, daring, determined, dreamy,
        eager, earnest, easygoing, energetic, fearless, forgiving, giggly, good-natured, graceful, hardworking, humble,
        imaginative, independent, inventive, kindhearted, lovable, mischievous, modest, neat, nimble, observant,
        obedient, optimistic, peaceful, perky, quick, quick-witted, reliable, respectful, sensible, sociable, spirited,
        stubborn, sturdy, talkative, tender, tidy, trusting, truthful, warmhearted, wise, witty, zany
    """,
    "house": """
        house, cottage, cabin, farmhouse, bungalow, apartment, mill, lodge, hut, lighthouse, houseboat, townhouse, inn,
        bakery, treehouse, villa, castle, tower
    """,
    "homey": """
        cozy, small, warm, little, yellow, wooden, white, red, tidy, old, brick, cheerful, crooked, narrow, round, snug,
        sunny, stone, pretty, quiet
    """,
    "landscape": """
        forest, river, lake, hill, meadow, sea, beach, valley, pond, farm, park, stream, mountain, garden, orchard,
        harbor, canyon, cliff, creek, desert, dune, field, glade, grove, island, jungle, lagoon, marsh, pasture,
        prairie, railway, reef, shore, swamp, vineyard, waterfall, windmill, bay, moor
    """,
    "outdoors": """
        park, meadow, beach, lake, river, hill, forest, orchard, farm, garden, pond, playground, creek, brook, field,
        glade, harbor, riverbank, seashore, valley, village green, vineyard, pasture, waterfall
    """,
    "village": """
        Willowbrook, Sunnyvale, Maplewood, Honeyfield, Rosedale, Oakville, Riverton, Appleton, Meadowlark, Berryhill,
        Birchwood, Bluewater, Brambleton, Brookside, Butterfield, Cedarville, Cherrydale, Clearwater, Cloverdale,
        Crestview, Daisytown, Dewberry, Duckpond, Eastwick, Elmhurst, Fairhaven, Fernwood, Foxglove, Goldenhill,
        Goosebury, Greenfield, Hazelton, Heatherfield, Hilltop, Hollybrook, Larkspur, Lilyford, Littleton, Merryville,
        Millbrook, Mossbridge, Northgate, Nutwood, Orchardton, Otterbrook, Pebbleton, Pinecrest, Plumfield, Puddleford,
        Redwood, Rockport, Sandybay, Silverlake, Snowhill, Springfield, Starfall, Stonebridge, Summerfield, Swanlake,
        Thistledown, Thornbury, Timberland, Tumbledown, Westbrook, Whitecliff, Windermere, Winterbourne, Woodland
    """,
    "job": """
        baker, farmer, gardener, teacher, mail carrier, doctor, shopkeeper, librarian, carpenter, painter, fisher,
        nurse, tailor, cook, firefighter, police officer, florist, grocer, butcher, barber, beekeeper, blacksmith,
        builder, bus driver, candlemaker, clockmaker, cobbler, dentist, dressmaker, electrician, engineer, glassblower,
        goatherd, hatmaker, innkeeper, janitor, jeweler, judge, lamplighter, locksmith, lumberjack, mayor, mechanic,
        miller, musician, organist, pharmacist, photographer, pilot, plumber, poet, potter, printer, ranger, repairman,
        sailor, sculptor, shepherd, shoemaker, soldier, toymaker, trumpeter, veterinarian, waiter, watchmaker, weaver,
        woodcutter
    """,
    "dream_job": """
        doctor, teacher, pilot, dancer, singer, astronaut, firefighter, painter, chef, explorer, captain, acrobat,
        actor, archaeologist, architect, artist, astronomer, author, ballerina, botanist, biologist, cartoonist,
        chemist, clown, composer, conductor, designer, detective, diver, drummer, editor, fisher, geologist, goalkeeper,
        guitarist, gymnast, hairdresser, inventor, journalist, juggler, knight, magician, mountaineer, novelist,
        paleontologist, physicist, pianist, pirate, programmer, racer, reporter, scientist, skater, surgeon, swimmer,
        tour guide, train driver, violinist, weather forecaster, writer, zookeeper
    """,
    "hobby": """
        play, play in the park, sing, dance, run, jump, play outside, read books, explore, draw pictures, swim, play
        with friends, chase butterflies, climb trees, tell jokes, splash in puddles, pick flowers, look at the stars,
        listen to stories, help others, blow bubbles, build sandcastles, collect shells, count stars, paint, roll down
        hills, skip, hop, play hide and seek, make new friends, watch the clouds, fly kites, bake cookies, watch birds,
        eat berries, jump in leaves, whistle tunes, solve riddles, solve puzzles, ride in the wagon, wander by the
        river, hum songs, play the drums, visit grandma, feed the ducks, gather acorns, catch snowflakes, dig in the
        sand, make mud pies, march like a soldier, pretend to be a pirate, pretend to be a superhero, tumble in the hay,
        twirl in circles, water the garden, float paper boats, race down the lane, rescue ladybugs, search for treasure,
        sketch animals, slide down the slope, smell the roses, spin around, stack blocks, stargaze, stroll through the
        woods, swing, swap stickers, sort pebbles, throw snowballs, tickle grandpa, toss pancakes, wade in the brook,
        weave baskets, wrestle with pillows, write poems, yodel, invent games, giggle, gallop around the yard, follow
        snails, doodle, decorate cupcakes, cuddle, compose melodies, bounce on the bed, balance on logs, arrange
        flowers, act in plays, admire rainbows, build forts, crack nuts, craft necklaces, cartwheel, discover new
        places, fold paper animals, imitate animals, juggle, knit, learn new words, leap over logs, mimic birds, paddle
        in the pond, peek into nests, perform magic tricks, plant seeds, polish pebbles, practice ballet, prance about,
        recite rhymes, roam the hills, scribble, study bugs, tinker with old clocks, trace shadows, travel, trot, wink
        at people
    """,
    "hair": """
        brown, black, red, curly, long, short, golden, wavy, blond, messy, straight, ginger, spiky, chestnut, fluffy,
        braided, auburn, frizzy, tangled, silky
    """,
    "coat": """
        brown, white, black, gray, golden, orange, spotted, silver, striped, tan, snowy, speckled, cream, reddish
    """,
    "wear": """
        hat, scarf, sweater, bow, ribbon, cap, coat, vest, bandana, backpack, bell, necklace, raincoat, cape, jacket,
        beanie, belt, bonnet, bracelet, bow tie, brooch, cloak, headband, hood, jersey, locket, poncho, shawl, shirt,
        sash, tie
    """,
    "color": """
        red, blue, green, yellow, pink, purple, orange, white, brown, golden, silver, gray, black, turquoise, violet,
        scarlet, crimson, lavender, lilac, amber, aqua, beige, bronze, coral, emerald, indigo, ivory, khaki, lime,
        magenta, maroon, mauve, navy, olive, peach, plum, rainbow-colored, ruby, rust, sapphire, tan, teal
    """,
    "collection": """
        shells, stamps, buttons, leaves, stones, feathers, marbles, coins, stickers, acorns, pine cones, postcards,
        bells, beads, bookmarks, bottle caps, corks, crystals, erasers, figurines, fossils, keys, labels, magnets, maps,
        medals, napkins, pebbles, pencils, pins, posters, puppets, ribbons, rubber ducks, spinning tops, teacups, teddy
        bears, thimbles, tickets, toy trains, wrappers
    """,
    # things
    "lost": """
        ball, teddy bear, hat, scarf, kite, doll, blanket, mitten, whistle, drum, necklace, book, toy car, puppet,
        yo-yo, flute, cap, slipper, backpack, bracelet, camera, compass, crayon box, diary, flashlight, glove,
        harmonica, jump rope, key, locket, lunchbox, magnifying glass, medal, mirror, music box, notebook, paintbrush,
        pinwheel, pocket watch, purse, rattle, ribbon, ring, robot, rubber duck, sailboat, shoe, spinning top,
        tambourine, toy rabbit, toy train, umbrella, wallet, wand
    """,
    "furniture": """
        bed, table, chair, sofa, desk, bookshelf, couch, dresser, bench, stove, piano, wardrobe, armchair, stool,
        cabinet, cradle, crib, cupboard, footstool, nightstand, rocking chair, sideboard
    """,
    "container": """
        box, basket, drawer, toy chest, bag, closet, bucket, trunk, suitcase, barrel, bin, cardboard box, carton, crate,
        hamper, pail, pouch, sack, tin, toolbox, tub
    """,
    "oddment": """
        sock, button, spoon, pencil, coin, marble, feather, comb, crayon, shoelace, ribbon, cork, cotton ball, acorn,
        bead, bookmark, bolt, brush, candle stub, card, chestnut, clip, clothespin, coaster, cookie crumb, cup, dice,
        domino, dust bunny, earring, eraser, fork, glue stick, hairpin, handkerchief, hanger, hook, jigsaw piece, ladle,
        leaf, letter, lid, magnet, map, match box, measuring tape, nail, napkin, needle, newspaper, notepad, nut, paper
        clip, peanut, pebble, penny, photograph, pine cone, plug, postcard, receipt, rubber band, ruler, safety pin,
        screw, seashell, shell, sponge, spring, stamp, sticker, straw, string, tack, teaspoon, thimble, thread spool,
        ticket, toothbrush, toothpick, twig, washcloth, walnut, wheel, zipper, stocking
    """,
    "stuff": """
        books, toys, socks, clothes, blankets, towels, shoes, old papers, yarn, buttons, letters, pillows, boots,
        candles, costumes, cushions, hats, jars, magazines, newspapers, photographs, pinecones, ropes, sheets, tools,
        walnuts, wool
    """,
    "sight": """
        bridge, barn, mailbox, fence, fountain, well, windmill, bench, statue, wagon, gate, scarecrow, haystack, puddle,
        sign, tractor, boat, stone wall, garden, signpost, birdhouse, bicycle, bonfire, bus, bus stop, canoe, carousel,
        cart, chapel, church, clock tower, crossroads, doghouse, ferry, flagpole, flowerpot, gazebo, greenhouse, hedge,
        hen house, inn, ladder, lamppost, lighthouse, market stall, maypole, merry-go-round, monument, mushroom, nest,
        newsstand, orchard, pile of logs, playground, pump, raft, rosebush, sandbox, school, seesaw, shed, silo, snack
        bar, stable, stump, sundial, swing, telephone booth, tent, tollgate, train, truck, tunnel, vineyard,
        wheelbarrow, wind chime, woodpile
    """,
    "look": """
        old, tall, big, tiny, pretty, funny, red, strange, wooden, crooked, lonely, small, bright, ancient, beautiful,
        broken, charming, colorful, creaky, curious, dusty, elegant, empty, enormous, faded, famous, fancy, forgotten,
        gigantic, grand, handsome, huge, long, low, lovely, magnificent, marvelous, mossy, mysterious, neat, new, odd,
        ordinary, peculiar, plain, quaint, rusty, shabby, shiny, simple, splendid, spooky, sturdy, tidy, unusual,
        weathered, wide, wonderful, wobbly
    """,
    "creature deed": """
        bird/singing in a tree, frog/hopping over a log, bee/buzzing around a flower, butterfly/dancing in the air,
        squirrel/eating a nut, duck/swimming in a pond, cat/sleeping in the sun, snail/crawling on a leaf, ant/carrying
        a crumb, horse/eating hay, cow/chewing grass, rabbit/nibbling clover, beetle/rolling a tiny ball, bat/hanging
        upside down, blackbird/tugging at a worm, bull/snorting loudly, bumblebee/humming softly, caterpillar/munching
        on a leaf, chicken/scratching the ground, cricket/chirping in the weeds, crow/cawing from a rooftop,
        cuckoo/calling from the woods, dragonfly/darting over the reeds, eagle/soaring high above, earthworm/wriggling
        in the soil, fish/leaping out of the water, fly/washing its legs, goldfinch/pecking at seeds, goose/honking at a
        dog, grasshopper/jumping through the grass, gull/gliding on the breeze, hawk/circling overhead, hen/clucking to
        her chicks, heron/standing on one leg, hummingbird/sipping nectar, jackdaw/stealing something shiny,
        kingfisher/diving into the stream, ladybug/climbing a stem, lark/rising into the sky, lizard/basking on a warm
        rock, magpie/chattering on a fence, mockingbird/copying a whistle, mosquito/whining, moth/fluttering by,
        mule/pulling a cart, newt/hiding under a stone, nightingale/warbling sweetly, parakeet/preening itself,
        partridge/scurrying away, peacock/spreading its tail, pelican/scooping up water, pheasant/strutting proudly,
        pigeon/cooing on a ledge, quail/leading her babies, rooster/crowing at the top of its lungs, salamander/slipping
        into the moss, sparrow/bathing in dust, spider/spinning a web, starling/whistling, stork/building a nest,
        swallow/swooping low, swan/drifting on the water, tadpole/wiggling its tail, thrush/cracking a snail shell,
        toad/blinking slowly, tortoise/plodding along, turkey/gobbling, turtle/resting on a log, vole/dashing into its
        hole, wasp/visiting a plum, woodpecker/drumming on a trunk, wren/carrying a twig
    """,
    "tree": """
        oak, apple, pine, maple, cherry, willow, birch, pear, chestnut, elm, fir, beech, walnut, ash, plum, cedar,
        alder, aspen, cypress, fig, hazel, hawthorn, juniper, larch, lemon, linden, magnolia, mulberry, olive, poplar,
        redwood, rowan, spruce, sycamore, yew
    """,
    "shelter": """
        barn, cave, porch, shed, hollow tree, tent, gazebo, bus stop, old hut, big tree, bridge, stable, train station,
        archway, balcony, tunnel, greenhouse, haystack, market stall, wagon
    """,
    "drink": """
        cocoa, milk, tea, soup, hot chocolate, cider, broth, warm milk, chicken soup, tomato soup, mint tea, honey tea,
        apple juice, pumpkin soup, ginger tea, chamomile tea, lentil soup
    """,
    "snack": """
        apple, sandwich, cookie, muffin, banana, pear, bun, carrot, pancake, peach, cupcake, orange, plum, pretzel,
        waffle, bagel, biscuit, bread roll, brownie, burrito, cheese stick, cinnamon roll, corn muffin, cracker,
        croissant, cucumber, doughnut, dumpling, fig, flapjack, granola bar, melon, mango, nectarine, oatcake, omelet,
        papaya, pastry, pizza, pomegranate, potato cake, quiche, raisin bun, rice cake, sausage roll, scone, sweet
        potato, taco, tangerine, tart, turnover, wrap
    """,
    "food": """
        pizza, soup, bread, cheese, honey, rice, noodles, jam, yogurt, spaghetti, pie, ice cream, corn, popcorn, salad,
        strawberries, almonds, applesauce, artichokes, asparagus, avocado, beans, beets, blueberries, broccoli, cabbage,
        cashews, cauliflower, celery, cereal, cherries, coconut, cornbread, cranberries, custard, dates, eggplant, eggs,
        garlic bread, gingerbread, gooseberries, granola, grapefruit, grapes, gravy, guava, hazelnuts, jelly, kale,
        kiwi, lasagna, leeks, lentils, lettuce, lychee, macaroni, marmalade, mashed potatoes, mushrooms, nuts, oatmeal,
        onions, parsnips, pasta, peanut butter, peas, peppers, pickles, pineapple, pistachios, plums, porridge, pudding,
        pumpkin pie, radishes, raspberries, ravioli, rhubarb, sorbet, spinach, squash, stew, sunflower seeds, syrup,
        toast, tofu, tomatoes, turnips, watermelon, yams, zucchini
    """,
    "sweet": """
        cookies, candies, cupcakes, jelly beans, lollipops, chocolates, gumdrops, doughnuts, caramels, marshmallows,
        brownies, fruit tarts, ginger snaps, honey cakes, licorice sticks, macaroons, meringues, mints, peppermints,
        popsicles, pralines, sugar plums, taffies, toffees, truffles, wafers
    """,
    "grocery": """
        a loaf of bread, a bottle of milk, a bag of apples, a jar of honey, a dozen eggs, a bag of flour, a pound of
        butter, a box of tea, a bunch of bananas, a block of cheese, a head of lettuce, a sack of potatoes, a bag of
        rice, a jar of jam, a basket of berries, a bar of soap, a bag of sugar, a bottle of vinegar, a bouquet of
        tulips, a box of matches, a box of raisins, a bundle of carrots, a can of beans, a carton of cream, a clove of
        garlic, a cluster of grapes, a cup of yogurt, a fresh cucumber, a handful of parsley, a jar of mustard, a packet
        of seeds, a pair of candles, a piece of ham, a pinch of saffron, a pint of cider, a pot of basil, a punnet of
        raspberries, a ripe melon, a roll of string, a roll of tape, a slice of pumpkin, a spool of thread, a stick of
        cinnamon, a string of sausages, a tin of paint, a tin of sardines, a tube of toothpaste, a wheel of cheddar, two
        lemons, three onions, four peaches, five tomatoes, six oranges, seven turnips
    """,
    "bake": """
        cake, apple pie, chocolate cake, carrot cake, cherry pie, lemon cake, banana loaf, honey cake, plum cake,
        pumpkin pie, pizza, strawberry tart, blueberry pie, almond cake, angel cake, apricot tart, blackberry pie,
        cheesecake, cherry strudel, coconut cake, coffee cake, crumble, fig tart, fruitcake, hazelnut cake, marble cake,
        nut loaf, onion tart, orange cake, peach cobbler, pear tart, pecan pie, poppy seed cake, raisin loaf, raspberry
        tart, rhubarb pie, sponge cake, spice cake, vanilla cake, walnut cake, zucchini loaf
    """,
    "missing": """
        sugar, butter, milk, honey, cinnamon, cream, baking powder, yeast, salt, cocoa, vanilla, nutmeg, oil
    """,
    "game": """
        tag, hide and seek, hopscotch, catch, marbles, checkers, soccer, leapfrog, chess, cards, dominoes, badminton,
        baseball, basketball, bowling, charades, cricket, croquet, darts, dodgeball, frisbee, golf, handball, hockey,
        kickball, ludo, pirates, ping-pong, rugby, skittles, superheroes, tennis, tic-tac-toe, tug-of-war, volleyball
    """,
    "building": """
        fort, tower, sandcastle, treehouse, castle, house, birdhouse, bridge, tent, igloo, boat, dam, den, dollhouse,
        garage, kennel, labyrinth, maze, palace, pyramid, raft, rocket, spaceship, stage, teepee, train track, wigwam,
        windmill
    """,
    "turns": """
        swing, ball, scooter, sled, drum, wagon, kite, puzzle, toy train, bike, trampoline, rocking horse, toy boat,
        hula hoop, pogo stick, seesaw, skateboard, slingshot, telescope, toy crane, toy piano, toy truck, tricycle,
        unicycle, xylophone, yo-yo
    """,
    "present": """
        ball, book, kite, doll, toy train, drum, puzzle, paint set, scarf, teddy bear, music box, wagon, hat, lantern,
        robot, globe, guitar, abacus, accordion, album, atlas, aquarium, banjo, bike, camera, canoe, compass, costume,
        crown, easel, fishing rod, flashlight, hammock, helmet, jigsaw, journal, kaleidoscope, keyboard, kimono, loom,
        magnet set, magic wand, microscope, model airplane, necklace, paper lantern, piggy bank, pinwheel, planner,
        puppet theater, quilt, radio, sewing kit, skateboard, sketchbook, sled, snow globe, stopwatch, suitcase, teapot,
        telescope, terrarium, toolbox, toy castle, toy dinosaur, trumpet, tutu, typewriter, ukulele, umbrella, violin,
        volleyball, wind-up mouse, wristwatch
    """,
    "flavor": """
        chocolate, vanilla, strawberry, lemon, carrot, banana, honey, cherry, apple, blueberry, caramel, almond,
        apricot, butterscotch, coconut, ginger, hazelnut, maple, orange, peach, pecan, peppermint, pineapple, raspberry,
        walnut
    """,
    "topic": """
        animals, stars, pirates, dinosaurs, space, ships, dragons, trains, flowers, bugs, knights, whales, airplanes,
        bridges, castles, caves, clocks, colors, comets, computers, cowboys, deserts, detectives, earthquakes, elves,
        engines, explorers, fairies, forests, genies, ghosts, giants, glaciers, gravity, heroes, hurricanes, icebergs,
        insects, inventions, inventors, jungles, kangaroos, kings and queens, lightning, magic, magnets, mammals,
        mermaids, meteors, monsters, mountains, mummies, music, numbers, oceans, oysters, painters, planets, pyramids,
        queens, rainbows, reptiles, robots, rockets, sailing, samurai, satellites, sharks, shipwrecks, submarines,
        tornadoes, trolls, unicorns, vikings, volcanoes, waterfalls, weather, witches, wizards, zeppelins
    """,
    "shape": """
        dragon, castle, sheep, rabbit, ship, whale, elephant, bear, heart, horse, dog, fish, cake, crown, unicorn,
        airplane, turtle, alligator, anchor, angel, arrow, balloon, banana, bathtub, boot, broomstick, bus, cactus,
        camel, canoe, carriage, cauliflower, chair, chimney, cow, crab, cradle, crocodile, dinosaur, dolphin, donkey,
        drum, duck, eagle, feather, flamingo, flower, flute, ghost, giant, giraffe, goblin, goose, guitar, hammer, hat,
        helicopter, hippo, ice cream cone, igloo, island, jellyfish, kettle, king, kite, ladder, lion, lobster,
        locomotive, mermaid, mitten, monkey, moon, moose, mountain, mouse, mushroom, octopus, ostrich, owl, palace,
        parrot, pear, penguin, piano, pig, pirate, pillow, pumpkin, queen, rhino, robot, rocket, rocking horse, rooster,
        saddle, sailboat, scarecrow, seahorse, shark, shoe, skateboard, sleigh, slipper, snail, snowman, spoon, star,
        starfish, steamboat, submarine, swan, sword, teapot, tiger, tractor, trumpet, umbrella, vase, violin, volcano,
        walrus, wand, whistle, windmill, wizard, yacht, zebra
    """,
    "flower": """
        rose, daisy, tulip, sunflower, lily, violet, poppy, daffodil, dandelion, bluebell, buttercup, marigold, orchid,
        pansy, peony, primrose, snowdrop, lavender, lilac, iris, amaryllis, anemone, aster, azalea, begonia, camellia,
        carnation, chrysanthemum, clover, columbine, cornflower, cowslip, crocus, cyclamen, dahlia, forget-me-not,
        foxglove, freesia, fuchsia, gardenia, geranium, gladiolus, harebell, hibiscus, hollyhock, honeysuckle, hyacinth,
        hydrangea, jasmine, jonquil, larkspur, lupine, magnolia, mallow, morning glory, narcissus, nasturtium,
        periwinkle, petunia, phlox, snapdragon, sweet pea, thistle, water lily, wallflower, zinnia
    """,
    "crop": """
        sunflower, bean, pumpkin, tomato, carrot, strawberry, pea, melon, rose, apple, corn, cucumber, pepper, radish,
        potato, beet, bluebell, cabbage, cherry, cauliflower, daisy, eggplant, fig, gourd, grape, leek, lemon, lettuce,
        lupine, marigold, onion, parsnip, peach, pear, plum, poppy, spinach, squash, tulip, turnip, violet, watermelon,
        zinnia, zucchini
    """,
    "bird": """
        robin, sparrow, bluebird, swallow, owl, blackbird, dove, finch, wren, pigeon, canary, crow, lark, goldfinch,
        magpie, thrush, bullfinch, bunting, cardinal, chickadee, cuckoo, duckling, egret, falcon, flycatcher, goshawk,
        gosling, grouse, gull, hawk, hummingbird, jackdaw, jay, kestrel, kingfisher, linnet, martin, nightingale,
        nuthatch, oriole, parakeet, parrot, petrel, pipit, plover, puffin, raven, sandpiper, siskin, snipe, starling,
        swift, tern, warbler, waxwing, woodpecker
    """,
    "zoo": """
        lion, monkey, elephant, giraffe, tiger, zebra, bear, penguin, parrot, snake, camel, seal, panda, kangaroo,
        hippo, crocodile, aardvark, alpaca, anteater, antelope, armadillo, baboon, bison, boa, bobcat, buffalo,
        capybara, caribou, chameleon, cheetah, chimpanzee, chinchilla, cobra, condor, cougar, coyote, emu, flamingo,
        gazelle, gecko, gibbon, gorilla, hyena, ibex, ibis, iguana, impala, jackal, jaguar, koala, lemur, leopard,
        llama, lynx, macaw, mandrill, marmot, meerkat, mongoose, okapi, opossum, orangutan, ostrich, panther, peacock,
        platypus, polar bear, porcupine, puma, python, rattlesnake, reindeer, rhinoceros, sloth, skunk, tapir,
        tarantula, toucan, viper, vulture, wallaby, walrus, warthog, wildebeest, wolverine, wombat, yak
    """,
    "sea": """
        whale, dolphin, shark, octopus, starfish, crab, seahorse, jellyfish, turtle, seal, lobster, eel, angelfish,
        anemone, barracuda, carp, catfish, clam, clownfish, cod, flounder, halibut, herring, mackerel, manatee, manta
        ray, marlin, minnow, mussel, narwhal, orca, oyster, perch, pike, piranha, porpoise, pufferfish, salmon, sardine,
        sea lion, sea urchin, shrimp, snapper, squid, stingray, sturgeon, swordfish, trout, tuna, walrus
    """,
    "museum": """
        mummy, sword, crown, dinosaur bone, suit of armor, painting, statue, golden cup, vase, old clock, steam engine,
        fossil, meteorite, anchor, abacus, arrowhead, cannon, catapult, chariot, coin, compass, crystal ball,
        drawbridge, dugout canoe, emerald, fan, fresco, gladiator, globe, harpsichord, helmet, jade dragon, lantern,
        mammoth tusk, mask, mosaic, musket, parchment, pharaoh, portrait, quill, saber, scroll, sextant, shield,
        skeleton, spinning wheel, stagecoach, tapestry, telegraph, throne, tiara, totem pole, urn
    """,
    "instrument": """
        piano, flute, drum, violin, guitar, trumpet, harp, banjo, recorder, harmonica, accordion, bagpipes, bassoon,
        bugle, castanets, cello, clarinet, cymbals, double bass, fiddle, glockenspiel, gong, horn, lute, mandolin,
        maracas, oboe, organ, piccolo, saxophone, sitar, tambourine, triangle, trombone, tuba, ukulele, viola,
        xylophone, zither
    """,
    "prize": """
        ribbon, medal, trophy, pie, cake, blue ribbon, golden cup, basket of apples, jar of honey, balloon, badge, book,
        bouquet, certificate, crown, garland, pennant, rosette, silver bell, toy boat
    """,
    "monster": """
        monster, bear, dragon, giant, ghost, wolf, witch, troll, snake, goblin, ogre, spider, robber, dinosaur, beast,
        bogeyman, crocodile, gargoyle, gnome, gremlin, griffin, imp, mummy, octopus, phantom, pirate, scarecrow,
        serpent, skeleton, vampire, vulture, werewolf, yeti
    """,
    "cause": """
        a coat on a hook, a pile of clothes, a chair with a sweater on it, the curtain, a hat on the bedpost, a tree
        outside, a robe on the door, a broom in the corner, a stack of books, a toy on the shelf, a basket of laundry, a
        lampshade, a plant on the windowsill, a rolled-up rug, an umbrella, a guitar by the wall, a balloon from the
        party, a blanket on the floor, a kite hanging from the ceiling, a mop in a bucket, a pair of pajamas, a rocking
        chair, a scarf on a peg, a suitcase, a tent pole, a tower of blocks, a wicker basket, a winter jacket
    """,
    "light": """
        night-light, lamp, lantern, flashlight, paper lantern, glow stick, string of lights, star lamp, moon lamp
    """,
    "noise source": """
        Tap-tap-tap/a branch at the window, Drip-drop/the leaky faucet, Squeak/a tiny mouse in the pantry, Creak/the old
        gate in the wind, Thump/an apple falling on the roof, Scratch/a hedgehog at the back door, Whoosh/the wind in
        the chimney, Clang/a raccoon by the trash can, Click/the clock in the hall, Flap/a loose shutter, Groan/the
        floorboards, Hoot/an owl on the fence, Hum/the refrigerator, Jingle/the wind chimes on the porch, Patter/the
        rain on the tin roof, Rattle/a loose window, Rumble/thunder far away, Rustle/dry leaves on the step,
        Snore/grandpa in his armchair, Splash/a frog in the fountain, Thud/a flowerpot that fell over, Whistle/the
        kettle on the stove, Yowl/a stray cat in the alley, Gurgle/the water pipes, Bong/the grandfather clock, Chirp/a
        cricket behind the stove
    """,
    # problems with their causes and cures
    "toy part cure": """
        toy car/wheel/glue, doll/arm/a needle and thread, teddy bear/ear/a needle and thread, kite/tail/tape, toy
        boat/sail/a scrap of cloth, toy train/wheel/a tiny screw, wagon/handle/a nail, puppet/string/a new string,
        drum/strap/strong tape, toy horse/leg/glue, toy plane/wing/glue, robot/arm/a new screw, toy rabbit/nose/a black
        button, dollhouse/door/a new hinge, music box/lid/a small hinge, rocking horse/saddle/strong thread, toy
        truck/bumper/glue, birdhouse/roof/nails and a hammer, sled/runner/a bolt, scooter/bell/wire, toy crane/hook/a
        piece of wire, toy castle/drawbridge/a chain, toy elephant/trunk/yarn, pinwheel/stick/a new stick,
        clown/hat/felt and paste, toy lion/mane/brown wool, jack-in-the-box/spring/pliers, toy giraffe/neck/glue and a
        splint, windmill/blade/a dab of glue, submarine/propeller/a rubber band
    """,
    "breakable": """
        vase, plate, lamp, cup, teapot, bowl, mirror, flowerpot, jar, clock, pitcher, glass, picture frame, snow globe,
        sugar bowl, mug, aquarium, china dog, crystal bell, figurine, fishbowl, fruit bowl, goblet, gravy boat, jug,
        lantern, music box, platter, saucer, statuette, tureen, urn
    """,
    "surface": """
        table, shelf, cabinet, dresser, desk, piano, bookcase, sideboard, counter, windowsill, mantel, nightstand, tray
    """,
    "romp": """
        playing ball, running, dancing, jumping, spinning, playing pirates, skipping, throwing a pillow, chasing a fly,
        hopping, playing tag, bouncing a ball, galloping, juggling oranges, leaping about, playing soccer, practicing
        somersaults, rolling a hoop, skating in socks, sliding, swinging a stick, twirling, waving a sword, whirling
        around
    """,
    "skill fail tip deed_done": """
        ride a bike/wobbled and fell over/Look ahead and keep pedaling/rode all the way down the lane,
        swim/swallowed some water/Kick your legs and stay calm/swam across the pond,
        skate/slipped and landed on the ice/Bend your knees/glided over the ice,
        whistle/made no sound at all/Make your lips round and blow softly/whistled a merry tune,
        juggle/dropped all the balls/Start with two balls/juggled three balls,
        jump rope/got tangled in the rope/Jump when the rope comes down/jumped twenty times,
        climb the rope/slid back down/Use your legs too/climbed to the top,
        fly a kite/let the kite crash/Run against the wind/made the kite dance in the sky,
        tie a bow/made a big knot/Make two loops and cross them/tied a perfect bow,
        row a boat/went around in circles/Pull with both oars together/rowed to the other shore,
        stand on one leg/tipped over/Look at one spot/stood as still as a heron,
        do a cartwheel/landed in the hay/Keep your legs straight/did three cartwheels in a row,
        ski/tumbled into the snow/Lean forward a little/skied down the slope,
        paint a rainbow/mixed the colors into mud/Rinse the brush each time/painted all seven stripes,
        knit/lost every stitch/Count your stitches/knitted a striped scarf,
        catch a ball/missed it again and again/Keep your eyes on the ball/caught ten throws,
        play the flute/only made it squeak/Blow gently/played a whole song,
        write with a pen/made a blot/Hold it lightly/wrote a neat letter,
        spin a top/knocked it over/Snap the string quickly/spun it for a whole minute,
        walk on stilts/toppled sideways/Take small steps/marched around the yard,
        surf/splashed into the waves/Stand up slowly/surfed to the beach,
        throw a boomerang/hit a bush/Throw it high and tilted/caught it as it returned,
        use chopsticks/dropped every noodle/Relax your grip/finished the whole bowl,
        hula hoop/felt the hoop drop at once/Wiggle in a steady rhythm/kept it turning for an hour,
        dive/flopped onto the water/Tuck your chin/dived without a splash
    """,
    "victim trap reason tool rescue": """
        kitten/high up in a tree/It had chased a bird and climbed too far/ladder/climbed up and carried it down,
        duckling/in a deep ditch/It had followed a beetle and slipped/basket/scooped it up,
        lamb/in the mud/It had tried to take a shortcut/rope/pulled until it came free,
        hedgehog/in an empty bucket/It had smelled food inside and fallen in/plank/made a ramp for it to walk out,
        butterfly/in a spider web/A gust of wind had blown it there/soft brush/brushed the threads away,
        frog/in a dry well/It had jumped in to look for water/bucket on a string/lifted it up,
        puppy/under a fence/It had tried to dig its way out/shovel/dug the hole wider,
        goat/on a narrow ledge/It had smelled sweet grass/bunch of clover/led it down step by step,
        bee/in a puddle/Its wings had become too wet to fly/leaf/lifted it into the sunshine,
        turtle/on its back/It had rolled down the bank/stick/turned it over gently,
        calf/in a thorny hedge/It had run away from the thunder/saw/cut the branches one by one,
        squirrel/behind a loose board/It had stuffed its cheeks too full of nuts/hammer/pried the board away,
        crab/in a fishing net/The tide had carried it there/sharp shell/cut the net open,
        sparrow/in the chimney/It had looked for a warm place to nest/lantern/lit the way to the open window,
        piglet/between two rocks/It had squeezed in to find an acorn/jar of butter/greased its sides and slid it out,
        mole/in a flowerpot/It had tunneled the wrong way/spoon/dug a little passage,
        foal/in deep snow/It had wandered off during the storm/spade/cleared a path,
        fawn/in a tangle of vines/It had hidden there from the barking hounds/pocketknife/cut the vines,
        gosling/on the wrong side of a gate/It had stopped to nibble a daisy/long stick/lifted the latch,
        beetle/in a drop of sap/It had stopped to taste something sweet/blade of grass/coaxed it loose,
        raccoon/inside a jar/It had wanted the last bit of jam/bar of soap/made the jar slip off,
        bat/in a curtain/It had flown in by mistake/towel/wrapped it up and let it go outside,
        snail/in the middle of the road/It had stopped to rest in the sun/cabbage leaf/carried it to the other side,
        baby owl/on the ground/It had fallen out of its nest/basket on a rope/hoisted it back to its mother
    """,
    "flier": """
        kite, hat, balloon, paper plane, scarf, umbrella, ribbon, letter, handkerchief, drawing, straw hat, bonnet,
        flag, pinwheel, map, beach ball, feather, poster, parachute
    """,
    "perch": """
        tree, roof, barn, chimney, flagpole, clock tower, balcony, lamppost, steeple, windmill, scaffold, water tower,
        statue
    """,
    "ladder_job": """
        farmer, firefighter, painter, gardener, carpenter, roofer, chimney sweep, window washer, electrician, fruit
        picker, lighthouse keeper
    """,
    "hideout": """
        behind a tree, under the bed, in the closet, behind the curtain, under the table, inside a barrel, behind a
        bush, in the hay, under a blanket, behind the sofa, in the bathtub, behind the door, behind a boulder, beneath
        the porch, between two barrels, in a cupboard, in a laundry basket, in a wheelbarrow, inside a hollow log, under
        a pile of leaves, under the staircase, up in the attic
    """,
    "giveaway": """
        sneezed, giggled, hiccuped, coughed, moved, burped, laughed, squeaked, yawned, snored, sniffled, wiggled,
        snorted, bumped into a bucket, dropped a toy, knocked over a broom, rustled, shuffled, whispered a secret,
        hummed a tune
    """,
    "vessel": """
        boat, ship, balloon, rocket, cloud, train, flying carpet, sailboat, submarine, airship, bubble, canoe, caravan,
        chariot, coach, ferry, glider, gondola, kayak, moonbeam, paper plane, raft, sleigh, spaceship, steamboat,
        streetcar, teacup, zeppelin
    """,
    "realm": """
        the moon, the stars, a candy island, a land of toys, the bottom of the sea, a castle in the clouds, a land of
        giants, the rainbow, a city of gold, a forest of lollipops, a garden of talking flowers, a glass mountain, a
        kingdom of mice, a land of dragons, a land of fairies, a palace of ice, a planet of robots, a pirate cove, a
        river of lemonade, a secret valley, Mars, Saturn, the end of the rainbow, the North Pole, the Milky Way
    """,
    "royal": """
        king, queen, fairy, giant, wizard, prince, princess, mermaid, dragon, talking bear, unicorn, pirate captain,
        clown, elf, emperor, genie, gnome, goblin, knight, leprechaun, magician, mouse queen, pixie, robot, sphinx, star
        child, talking fish, troll, white stag
    """,
    "gift": """
        golden key, shiny star, silver bell, magic feather, pearl, crown, blue stone, golden coin, amulet, candle
        that never went out, compass, crystal, diamond, emerald, glowing pebble, golden apple, jewel, lucky charm,
        moonstone, opal, pocket rainbow, rose of glass, ruby, sapphire, silver thimble, shell, sparkling ring, wishing
        stone, wooden flute
    """,
    "supper": """
        pancakes, soup, noodles, pizza, spaghetti, toast, stew, waffles, omelets, dumplings, meatballs, porridge, rice,
        fritters, casserole, curry
    """,
    "helper": """
        owl, rabbit, deer, squirrel, hedgehog, fox, badger, robin, toad, crow, firefly, heron, magpie, mole, moth,
        otter, raven, stag, tortoise
    """,
    "lure": """
        butterfly, dragonfly, rabbit, bluebird, squirrel, ladybug, frog, grasshopper, floating feather, chipmunk,
        hummingbird, lizard, moth, quail
    """,
    "trail": """
        stream, path, row of white stones, fence, road, river, sound of the bells, smell of the chimney smoke, line of
        lanterns, brook, railroad track, row of poplars, footprints, light of the windows
    """,
    "chilly": "scarf, coat, sweater, hat, jacket, shawl, cloak, cape, hood, poncho, parka, muffler, cardigan",
    "heavy": "pumpkin, turnip, melon, cabbage, watermelon, squash",
    "weekday": "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
    "fine": "sunny, warm, bright, beautiful, lovely, fine, pleasant, clear, mild, quiet, golden, glorious",
    "shopman": "grocer, shopkeeper, baker, merchant, greengrocer, clerk, cashier",
    "season": "summer, spring, autumn, winter",
    "month": "May, June, April, July, March, August, September, October, November, December, January, February",
    "adverb": """
        kindly, softly, gently, warmly, quietly, cheerfully, sweetly, calmly, tenderly, lovingly, gladly, thoughtfully
    """,
}

# Phrases that several plots use.
RULES = {
    "cookie": """[
        Once upon a time, there was a little dog named Cookie.|
        Once upon a time, there was a little dog named Cookie.|
        [There once was|Long ago, there was|In a small village called {village}, there lived]
        a little dog named Cookie.|
        Cookie was a [little|small|{trait}] dog.]""",
    "opening": """[
        Once upon a time, there was a {size} {hero.kind} named {hero}.|
        Once upon a time, there was a {size} {hero.kind} named {hero}.|
        Once upon a time, [in a {homey} {house} near the {landscape}|in a village called {village}], there lived
        a {size} {hero.kind} named {hero}.|
        [There once was|Long ago, there was|Once there was] a {trait} {hero.kind} named {hero}.|
        In a small village [called {village}|by the {landscape}], there lived a {size} {hero.kind} named {hero}.|
        {hero} was a {size} {hero.kind} who lived [near the {landscape}|in a {homey} {house}|in {village}].]""",
    "about_child": """[
        <loved>|<loved> <child_detail>|<child_detail> <loved>|<child_detail>|<loved> <detail>|<detail>]""",
    "about_animal": """[
        <loved>|<loved>|<loved> <animal_detail>|<animal_detail> <loved>|<loved> <detail>|<detail>]""",
    "loved": """{He} [loved|loved|liked] to {hobby}[| and {hobby2}| every day].""",
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
        {His} favorite [flower was the {flower}|animal was the {zoo}|season was {season}|
        game was {game}|month was {month}].|
        {He} lived with {his} [mom and dad|family|mom, dad, and grandma].|
        {He} collected {collection}[ and {collection2}|] and kept them in a {container2}.|
        {He} [loved|liked] stories about {topic}.|
        Everyone in {village} knew {him}.]""",
    # times
    "day": """One [day|day|day|{fine} day|{fine} morning|{fine} afternoon|{weekday}|{weekday} morning]""",
    "any_day": """[<day>|<day>|One {season} [day|morning]|One {month} morning]""",
    "night": """One [night|night|dark night|windy night|{season} night|{month} night|{weekday} night]""",
    # speech and feelings
    "said": """[said|said|said|said|said|said softly|said quietly]""",
    "kindly": """[said|said|said|said <adverb>|said with a smile|said in a <voice> voice]""",
    "asked": """[asked|asked|asked|asked <asking>]""",
    "cried": """[cried|cried|cried|shouted|called|called out|exclaimed]""",
    "whispered": """[whispered|whispered|said softly|said in a small voice|murmured|mumbled]""",
    "asking": """[kindly|softly|gently|politely|quietly|curiously]""",
    "voice": """[kind|gentle|soft|warm|cheerful|friendly|clear|calm]""",
    "happy": """[happy|happy|very happy|glad|so happy|full of joy|delighted|very glad|thrilled]""",
    "sad": """[sad|sad|very sad|upset|unhappy|so sad that {he} began to cry|gloomy|miserable|sorry for {himself}]""",
    "scared": """[scared|scared|afraid|very scared|frightened|so scared that {he} shook|nervous|terrified]""",
    "thanked": """"[Thank you|Thank you so much|Thank you, {friend}|Thanks, {friend}|Oh, thank you]!"
        [{hero}|{he}] [said|said happily|cried|exclaimed].""",
    "smiled": """[smiled|smiled|gave {him} a big hug|laughed and hugged {him}|smiled and patted {his} head]""",
    "friend": """[
        {his} [good |best |dear |]friend {friend}|
        a [kind |friendly |little |{trait4} |]{friend.kind} named {friend}]""",
    # what there is to see along a way
    "sights": """[a {creature} {deed}|a {look} {sight} and a {creature} {deed}|a {creature} {deed} and
        a {creature2} {deed2}|a {sight}, a {sight2}, and a {look} {sight3}|a {look} {sight}|{neighbor} the {job}]""",
    "way": """[|||On the way, {he} [saw|passed] <sights>. |{He} walked past <sights>. ]""",
    "their_way": """[|||On the way, they [saw|passed] <sights>. |They walked past <sights>. ]""",
    "zoo_trip": """zoo. They saw a {zoo}, a {zoo2}, and a {zoo3}. Then they came to the {zoo4}""",
    "sea_trip": """aquarium. They saw a {sea}, a {sea2}, and a {sea3}. Then they came to the {sea4}""",
    "museum_trip": """museum. They saw a {museum}, a {museum2}, and a {museum3}. Then they came to the {museum4}""",
    # lessons, each for the plots that teach it
    "friendship": """[
        From that day on, {hero} and {friend} were best friends.|
        {hero} and {friend} stayed good friends [ever after|for a long, long time].|
        {hero} learned that [a good friend is better than any {present}|a friend makes every day brighter].|
        After that, {hero} and {friend} played together [every day|every {weekday2}|all {season2} long].]""",
    "helping": """[
        {hero} learned that it feels good to help others.|
        From that day on, {hero} always helped [those who needed it|others].|
        {He} knew now that even a small {hero.kind} can be a big help.|
        That night, {hero} fell asleep with a smile, for {he} had done something good.]""",
    "trying": """[
        {hero} learned that you get better when you keep trying.|From that day on, {hero} never gave up too soon.|
        {hero} was proud, because {he} had not given up.|
        {He} learned that everyone falls [sometimes|at first], and that the trick is to get up again.]""",
}

# Each plot first names its hero as {who}, "a little dog named Cookie" where nothing has been said of her before, and
# lets one thing follow from another.
PLOTS = {
    "lost and found": """
        <any_day>, {who} could not find {his} [favorite|{color}|special|dear old|new] {lost}. ["Oh no! Where is my
        {lost}?" {he} <cried>.|{He} felt <sad>.|{He} wanted to take it along, but it was gone.] {He} looked under
        the {furniture}, but there was only a {oddment}[ and a {oddment2}|] there. {He} looked behind the
        {furniture2}, but [there was only a {oddment3}|all {he} found was a {oddment3}]. {He} [looked|searched] in
        the {container} too, but it was [empty|full of {stuff}|full of {stuff} and {stuff2}].

                                                [Then|Soon|Just then], <friend> came [by|to visit|to the door].
        "[Why are you so sad|What is wrong|What happened]?" {friend.he} <asked>. "I lost my {lost}," {hero} <said>.
        "[Do not worry|Do not cry|Cheer up]," said {friend}. "[When did you last see it|Where did you have it
        yesterday|Where did you play with it]?" {hero} thought [hard|for a moment]. "I had it near the {sight},"
        {he} said. So they [went|ran|hurried] to the {sight} together.

                                                [There it was!|And what did they see?] The {lost} lay [in the tall
        grass|under a bush|behind a stone|among the {flower2} leaves|right beside the {sight}]. {hero} [picked it up
        and held it tight|jumped for joy|danced with joy|laughed out loud]. <thanked> [From that day on, {hero}
        always put {his} {lost} away when {he} was done, so it was never lost again.|<friendship>]""",
    "sharing": """
        <day>, {who} had a [big|fresh|tasty|lovely] {snack} for lunch. {He} sat down [under a {tree} tree|on a
        bench|by the {landscape}|near a {sight}] to eat it. Then <friend> came along. {friend} looked
        [sad|tired|hungry], and {friend.his} tummy rumbled. "[What is wrong|Are you all right|Why do you look so
        sad]?" {hero} <asked>. "I am hungry," {friend} <whispered>. "[I forgot my lunch at home|My lunch fell into a
        puddle|A {bird} took my lunch|I lost my lunch on the way]."

                                                {hero} looked at {his} {snack}. {He} was hungry too. But {he} did
        not want {friend} to be sad. So {he} broke the {snack} into two pieces and gave one to {friend}. "[Here,
        this is for you|We can share|One half is for you]," {he} <kindly>. {friend} [smiled|beamed] and ate every
        crumb. "[Thank you|You are so kind], {hero}!" {friend.he} <cried>.

                                                [The next day|A few days later|Later that week], {hero} had nothing
        to eat, and {friend} had a [big|tasty] {snack2}. {friend.He} [broke it in two|cut it in half] right away.
        "You shared with me, so I will share with you," said {friend}. [They ate together and laughed.|They sat side
        by side and watched <sights>.] [{hero} learned that sharing makes two people happy.|{hero} learned that what
        you give comes back.|<friendship>]""",
    "rain": """
        <day>, {who} went [outside to play|for a walk|out to pick some {flower} blossoms|to the {outdoors} to play
        {game}]. <way>[Suddenly|After a while|But soon], dark clouds covered the sun, and it began to rain. [Drip,
        drop, drip, drop!|Splash, splash!|The drops were big and cold.] {hero} had no umbrella, so {he} got [very
        wet|wet from head to toe]. {His} {chilly} was soaked, and {he} started to shiver. "[I am so cold|I am wet
        and cold]!" {he} <cried>.

                                                {He} looked around and saw a {shelter}. {He} ran to it as fast as
        {he} could. There {he} met <friend>, who was waiting for the rain to stop too. "[Come in|Sit next to
        me|There is room for two]," {friend} <kindly>. "It is dry in here." They sat close together, so {hero} [felt
        warmer|stopped shivering], and they [told each other stories about {topic}|played {game2}|sang songs|counted
        the raindrops|listened to the rain]. [Soon the rain stopped, and a rainbow appeared in the sky.|At last the
        sun came out and dried the grass.]

                                                {hero} ran home. {His} {parent} dried {him} with a [big|soft|warm]
        towel and gave {him} a [cup|bowl] of {drink}. Now {he} was warm and dry. [The next time dark clouds came,
        {hero} took an umbrella along.|{hero} was glad about the rain, because it had brought {him} a new
        friend.|"Next time I will take a raincoat," {he} <said>, and {his} {parent} laughed.]""",
    "the dark": """
        <night>, {who} was in bed and could not sleep. [It was very dark in the room.|The light was out, and the
        moon was behind a cloud.] {He} looked at the [wall|corner|door|window] and saw a
        [big|tall|huge|strange|black] shadow. It looked like a {monster}! {hero} was <scared>. {He} pulled the
        blanket over {his} head. "[Help|Mom|Dad|Please come]!" {he} <cried>.

                                                {His} {elder} heard {him} and came into the room. "[What is the
        matter|Why are you not asleep|What is wrong], my dear?" {elder.he} <asked>. "There is a {monster} [in my
        room|over there]!" {hero} <whispered>. {His} {elder} turned on the {light}, and they looked together. It was
        only {cause}! [{hero} had to laugh.|"Oh!" said {hero} and laughed.|{hero} felt a little silly, but much
        better.] "Things look different in the dark," said {his} {elder}. "[When you are afraid, turn on the light
        and look|Look closely, and the fear will go away]."

                                                {His} {elder} left the {light} on and [sang a quiet song|told {him}
        a story about {topic}|sat by {his} bed for a while|gave {him} a kiss on the nose]. Soon {hero} fell asleep
        [and dreamed of {topic2}|with a smile]. [From then on, {he} was not afraid of shadows anymore.|After that
        night, {hero} was not afraid of the dark, because {he} knew what the shadows really were.|{He} had learned
        to look before being afraid.]""",
    "noise in the night": """
        <night>, {who} woke up because of a strange noise. "{noise}! {noise}!" it went. [{hero} sat up in bed and
        listened.|{hero}'s heart beat fast.] "[Is it a {monster}|Could it be a {monster}]?" {he} <whispered>. {He}
        was <scared>, but {he} was also curious.

                                                {hero} went to {his} {parent}. "[I heard a noise|Something is out
        there|There is a strange noise]," {he} <said>. "Let us find out what it is," said {his} {parent}, and
        {parent.he} took a {light2}. They went [down the stairs|along the hall|through the kitchen] on tiptoe. They
        looked behind the {furniture}. Nothing! They looked in the {container}. There was only a {oddment}. The
        noise grew louder. "{noise}! {noise}!" Then {hero} [pointed|held up the light]. It was only {source}!

                                                {hero} and {his} {parent} laughed [and laughed|out loud|until their
        tummies hurt]. [Then they drank some warm milk and went back to bed.|Then {his} {parent} tucked {him} into
        bed again.] The noise [went on|came again], but now {hero} knew what it was, so {he} was not afraid and fell
        asleep. [In the morning, {he} told everyone how brave {he} had been.|{He} had learned that it is good to
        find out what scares you.]""",
    "a new friend": """
        <day>, {who} saw a new {friend.kind} [near the {sight}|at the {outdoors}|across the street|sitting on a
        bench]. {friend.He} was all alone and looked [sad|shy|lonely]. "[Hello|Hi], I am {hero}," {hero} <said>.
        "What is your name?" "My name is {friend}," the {friend.kind} <whispered>. "We just moved here from
        {village2}, and I do not know anyone."

                                                {hero} thought about how it feels to be alone. "Do you want to play
        {game} with me?" {he} <asked>. {friend} [smiled a little|nodded|looked up] and said yes. First they played
        {game}. Then they built a [big|tall|splendid|wonderful] {building} out of [sticks|boxes|blankets|old
        boards|blocks]. When they were hungry, {hero} gave {friend} half of {his} {snack}. {friend} was not shy
        anymore. {friend.He} laughed and told {hero} about [{topic}|{friend.his} old home|{friend.his} collection of
        {collection3}].

                                                [When the sun went down|In the evening|When it was time to go home],
        {friend} said, "[This was the best day|I had so much fun|I was sad this morning, but now I am happy]!"
        "[Come back tomorrow|Let us play again tomorrow]," said {hero}. <friendship>""",
    "baking": """
        <any_day>, {who} wanted to bake a {bake} with {his} {elder}. They put on their aprons and washed up. {hero}
        [mixed|stirred] the flour and the eggs in a [big|blue|round] bowl, and {his} {elder} [turned on the
        oven|found a spoon|read the recipe]. "Now we need {missing}," {elder.he} said. But the jar was empty! "[Oh
        no|Oh dear]," said {hero}. "We cannot bake without {missing}."

                                                Then {hero} had an idea. {He} took a cup and [ran|walked|hurried] to
        {neighbor}, who lived next door. "[May I please have some {missing}|Could you lend us some {missing},
        please]?" {he} <asked>. "[Of course|Here you are|With pleasure]," said {neighbor}, and {neighbor.he} filled
        the cup to the top. {hero} said thank you and carried it home [carefully|slowly|with great care], so that
        nothing was spilled.

                                                They put the {missing} into the bowl and the dough into the oven.
        Soon the whole house smelled [wonderful|sweet|delicious|so good]. The {bake} was [golden and
        warm|perfect|soft and tasty]. {hero} cut a [big|nice] slice and took it to {neighbor}. "[This is for you,
        because you helped us|Without you we could not have made it]," {he} <said>. {neighbor} took a bite and
        <smiled>. [Good neighbors help each other, and everyone had something sweet that day.|{hero} learned that it
        is all right to ask for help, and that it is good to say thank you.|From then on, they baked a {bake} every
        {weekday2} and always made a slice for {neighbor}.]""",
    "somebody stuck": """
        <any_day>, {who} was walking [by the {outdoors}|down the path|past the {sight}] when {he} heard a small
        sound. "[Help|Help me|Please help]!" it went. {hero} looked [around|left and right|everywhere] and saw a
        {victim} {trap}. {reason}, and now it could not get [away|free|out]. "[Do not be afraid|Hold on|Stay calm],
        little {victim}," {he} <said>. "I will help you."

                                                {hero} tried to reach the {victim}, but [{he} was too small|{he}
        could not do it alone|it did not work]. So {he} ran to {his} best friend, {friend}. "A {victim} is [stuck|in
        trouble]! [We need|Please bring] a {tool}!" {he} <cried>. {friend} [found|brought|fetched] a {tool} [at
        once|right away|from the shed], and they hurried back. {hero} talked softly to the {victim}, and {friend}
        took the {tool} and {rescue}. [It took a long time|It was hard work|They were very careful], but at last the
        {victim} was safe.

                                                The {victim} was so happy that it [danced in a circle|made a funny
        little jump|rubbed against {hero}'s leg]. "[Thank you both|I will never forget this|You are my heroes]," it
        said. "[We did it together|I could not have done it without {friend}]," said {hero}. <helping>""",
    "a broken toy": """
        <any_day>, {who} was playing with {his} [favorite|new|old|dear|{color}] {toy}. {He} played too wildly, and
        [crack|snap|oh no]! The {part} came off. {hero} [began to cry|felt <sad>]. "My {toy} is broken!" {he}
        <cried>. {He} tried to put the {part} back on, but it fell off again.

                                                {His} {elder} [heard {him}|came to see what was wrong|put down the
        newspaper]. "[Let me see|Show it to me|Do not cry, my dear]," {elder.he} said. "We can mend it. All we need
        is {cure}." They looked in an old [toolbox|tin|drawer|sewing box] full of [odds and ends|useful things], and
        there they found it. {hero} held the {toy} still, and {his} {elder} fixed the {part} [slowly and
        carefully|with great care|with steady hands]. "Now we must [wait a little|be patient|leave it alone until
        tomorrow]," {elder.he} said. {hero} waited and [ate a {snack}|drew a picture of a {zoo}|helped {his} {elder}
        make {supper}|looked at a book about {topic}].

                                                Then {hero} tried it. The {part} stayed on, and the {toy} was [as
        good as new|whole again|even better than before]! "[You are the best|Thank you], {elder.capitalized}!" {he}
        <cried> and hugged {his} {elder}. [From that day on, {hero} was careful with {his} toys.|{hero} played
        gently now, and the {toy} never broke again.|{hero} learned that many broken things can be mended with some
        patience.]""",
    "the proud racer": """
        <day>, {who} had a race with a {pal.kind} named {pal}. {pal} was the fastest {pal.kind} [in {village}|of
        all|around] and liked to show off. "[You can never beat me|You are too slow|I will win, as always]!" {pal}
        <cried>. They were to run from the {sight} to the {sight2}. "Ready, steady, go!" called {neighbor} the
        {job}, and off they went.

                                                {pal} ran so fast that {hero} was soon far behind. "[I have so much
        time|This is too easy]," thought {pal}, and {pal.he} [lay down for a nap under a {tree} tree|stopped to eat
        a {snack}|stopped to look at a {creature} {deed}]. {hero} [was tired|had sore feet], but {he} did not stop.
        Step by step, {he} [went on|ran on|kept going]. {He} ran past a {sight3}, and {he} ran past {pal}, who did
        not even notice.

                                                When {pal} [looked up|noticed it], it was too late. {hero} had
        reached the {sight2} first! Everyone [cheered|clapped], and {hero} got a {prize}. "[You did not stop|You
        never gave up]," said {pal}. "[I am sorry that I laughed at you|Next time I will not be so proud]." {hero}
        [smiled|nodded] and shared {his} lunch with {pal.him}. [{hero} learned that slow and steady wins the
        race.|<trying>]""",
    "the kind racer": """
        <any_day>, {who} was in a big race. The winner would get a {prize}, and {hero} had practiced [all week|every
        day|for a whole month]. "I want to win that {prize}," {he} <said>. "[Ready, set, go|One, two, three, go]!"
        called {neighbor} the {job}. All the runners [dashed|ran|sped] past the {sight}. {hero} was in front!

                                                But near the {sight2}, {he} heard a cry. Behind {him}, <friend> had
        [tripped over a root|slipped on some mud|stumbled over a stone] and hurt {friend.his} leg. {hero} looked at
        the finish line. It was so close! Then {he} looked at {friend}, who was crying. {hero} turned around. "[Lean
        on me|Take my {hero.hand}|I will help you]," {he} <said>. They walked [slowly|side by side|step by step] and
        came in last.

                                                [Nobody laughed|To their surprise, everyone cheered]. "[You lost the
        race, but you did something better|A kind heart is worth more than a fast leg]," said {neighbor}, and
        {neighbor.he} gave {hero} a {prize2}. {friend}'s leg [soon felt better|was better the next day], because
        {hero} [had washed it and put a bandage on it|put a cool cloth on it]. <friendship>""",
    "a seed": """
        <day>, {who} got a [tiny|small|little] seed from {his} {elder}. "[If you take care of it, it will become a
        {crop}|This is a {crop} seed. It needs water and sun]," said {his} {elder}. {hero} dug a small hole in the
        garden, put the seed in, and covered it with soil. {He} watered it [every morning|every day|each evening].

                                                {hero} waited and waited. "[Why does nothing happen|Is it
        asleep|When will it grow]?" {he} <asked>. "[Be patient|Good things take time|Give it time]," said {his}
        {elder}. [One week|Ten days|Two weeks] later, a [green|tiny green] leaf came out of the ground. {hero}
        [jumped for joy|clapped|was <happy>]! But then [it did not rain for many days and {hero} forgot to water the
        plant|{hero} was busy playing {game} and forgot the plant], so its leaves became dry and hung down. "[Oh no,
        it is thirsty|I am so sorry, little plant]!" {he} <cried>. {He} ran to the well and brought a
        [bucket|can|jug] of water. {He} gave the plant a long drink, and the next morning it stood up straight
        again.

                                                [All summer|Day after day|From then on], {hero} [never forgot the
        water|watered it and pulled out the weeds|kept the snails away]. The plant grew [and grew|as tall as the
        fence|bigger and bigger], until it was the [finest|best|most beautiful] {crop} in {village}. "[You took good
        care of it|You did this with your own work]," said {his} {elder}. [{hero} learned that living things need
        care every day.|{hero} learned to be patient.|{hero} was proud, and {he} kept a new seed for the next year.]""",
    "a birthday surprise": """
        <any_day>, {who} woke up [early|very early|with a smile|before the sun]. It was {his} birthday! {He} ran to
        find {his} friend {friend}, but {friend} said, "[I have no time today|I am busy|I must go somewhere],
        {hero}." {He} went to see {his} friend {pal}, but {pal} [was not at home|hurried away|closed the door
        quickly]. {hero} sat down by the {sight}. "Everyone forgot my birthday," {he} <whispered>, and {he} felt
        <sad>.

                                                In the afternoon, {hero} [walked|went] home slowly. <way>It was very
        quiet in the house. {He} opened the door, and suddenly the lights went on. "[Surprise|Happy birthday]!"
        everyone <cried>. There were [balloons|{color} balloons|paper lanterns|{flower} garlands] [on the
        walls|everywhere], and there was a big {flavor} cake with candles on it. {friend} and {pal} had been busy
        because they had been making the party!

                                                {hero} blew out the candles and made a wish. {friend} gave {him} a
        {present}, and {pal} gave {him} a {present2}. They [danced|sang|played {game}|ate {sweet}] until the [moon
        came up|stars came out]. "I thought that you forgot me," said {hero}. "[We would never forget you|Your
        birthday is much too important to forget]," said {friend}. [It was the best birthday ever.|{hero} was the
        happiest {hero.kind} in {village}.|{hero} knew now that {his} friends loved {him}, even when they were
        busy.]""",
    "telling the truth": """
        <any_day>, {who} was {romp} in the house, although {his} {parent} had said not to. Then [crash|bang|oops]!
        {hero} bumped into the {surface}, and the [{color}|old|pretty|new] {breakable} fell down and broke into
        [many|tiny|a hundred] pieces. {hero} was <scared>. {He} hid the pieces [behind the {furniture}|under the
        {furniture}|in a {container}] and [went to {his} room|ran outside|said nothing].

                                                [At supper|In the evening|Later that day], {his} {parent} asked,
        "Has anybody seen my {breakable}?" {hero}'s tummy [hurt|felt funny]. {He} could [say that the wind had done
        it|keep quiet], but that would be a lie. {He} took a deep breath. "[I broke it|It was me]," {he}
        <whispered>. "I was {romp} in the house, and it fell. I hid the pieces. I am [very|so] sorry."

                                                {His} {parent} was quiet for a moment. "I am [sad|sorry] about the
        {breakable}," {parent.he} said, "but I am [glad|proud] that you told me the truth." Then {parent.he}
        <smiled>. [Together they glued the pieces|They swept up the pieces together|{hero} saved {his} coins to help
        buy a new one], and {hero} felt light and happy again. [From that day on, {he} played outside when {he}
        wanted to be wild.|{hero} learned that the truth is hard to tell, but a lie is harder to carry.|{hero}
        learned to be honest, even when it is hard.]""",
    "learning": """
        <any_day>, {who} saw {pal}, a {pal.kind} who [could|knew how to] {skill}. It looked like so much fun! "[I
        want to do that too|I want to learn that]," said {hero}. {He} tried it right away, but {he} {fail}. {He}
        tried again, and again {he} {fail}. {hero} felt <sad>. "[I will never learn it|It is too hard|I give up]!"
        {he} <cried>.

                                                {His} {elder} had seen it all. "[Nobody can do it the first time|I
        needed a long time to learn it too|Every master was once a beginner]," {elder.he} said. "{tip}. And try a
        little every day." So {hero} [practiced|tried] every day [after breakfast|before supper|near the {sight}|by
        the {outdoors}]. [On Monday, it went badly. On Tuesday, it went a little better.|Sometimes {he} wanted to
        stop, but {he} remembered what {his} {elder} had said.|{pal} came to help and cheered for {him}.]

                                                Then, one {fine2} morning, it worked! {hero} {deed_done}. "[I did
        it|Look at me|I can do it]!" {he} <cried>. {His} {elder} [clapped|laughed|cheered] and gave {him} a
        [{flavor} cookie|big hug|kiss]. <trying>""",
    "the wind": """
        One windy [day|morning|afternoon], {who} was [outside|on the hill|near the {sight}|in the {outdoors}] with
        {his} [new|favorite|{color}|beautiful] {flier}. Suddenly, a strong wind came and [took|tore|blew] the
        {flier} away. Up, up, up it flew, until it was caught high on a {perch}. "[Come back|Oh no, my {flier}]!"
        {hero} <cried>. {He} jumped, but it was much too high. {He} [threw a stick|shook a long stick], but {he}
        could not reach it.

                                                {neighbor} the {ladder_job} came by and saw {hero}'s sad face.
        "[What happened|What is wrong], {hero}?" {neighbor.he} <asked>. {hero} pointed up at the {perch}. "[Wait
        here|I can help you]," said {neighbor}. {neighbor.He} brought a long ladder, and {hero} held it tight at the
        bottom. {neighbor} climbed up, took the {flier}, and [brought it down|came down with it] safe and sound.

                                                "[Thank you|Thank you so much], {neighbor}!" {hero} <cried>. [To say
        thank you, {he} picked some {flower} blossoms for {neighbor.him}.|The next day, {hero} brought
        {neighbor.him} a {bake}.|{He} helped {neighbor.him} carry the ladder home.] [After that, {hero} held on to
        {his} {flier} when the wind blew.|From then on, {he} tied the {flier} to a string on windy days, and the
        wind could not take it away.|{hero} learned that it is good to ask for help when something is too high to
        reach.]""",
    "a hurt bird": """
        <day>, {who} found a little {bird} [under a {tree} tree|in the grass|beside the {sight}|on the path]. It
        could not fly, because [a cat had hurt its wing|it had flown against a window and hurt its wing|its wing was
        hurt]. "[Poor little {bird}|You poor thing]," {hero} <kindly>. {He} picked it up [gently|very gently|with
        care] and took it home.

                                                {hero} and {his} {parent} put the {bird} in a [basket|small
        box|shoebox] with soft [grass|hay|wool|moss]. Then {his} {parent} wrapped a [small|thin|clean] bandage
        around its wing. Every day, {hero} gave it [seeds|berries|crumbs|seeds and crumbs] and fresh water, so it
        became stronger. {He} named it [Hope|Feather|Pip|Sky|Tweet], and {he} [sang to it|talked to it|told it
        stories about {topic}].

                                                After [two|three|four] weeks, the wing was [healed|well again].
        {hero} carried the {bird} to the window. {He} felt a little sad, but {he} knew that [birds belong in the
        sky|it wanted to be free]. "[Fly, little {bird}|Goodbye, my friend]!" {he} <said>. The {bird} flew up [over
        the {sight2}|into the blue sky|to the top of a {tree2} tree] and sang [a happy song|its most beautiful
        song]. [Every morning after that, it came to {hero}'s window to sing.|<helping>]""",
    "the picnic": """
        <day>, {who} and {his} friend {friend} went on a picnic near the {outdoors}. They packed a {snack}, a
        {snack2}, and some {sweet}. <their_way>They [spread out|put down] a {color} blanket [under a {tree}
        tree|near a {sight4}|in the sun] and then went to play {game} before lunch.

                                                But when they came back, the blanket was full of ants! The ants
        [carried away crumbs|marched in a long line|were all over the food]. "[Our lunch|Oh no, ants|Our food]!"
        {friend} <cried>. {friend.He} wanted to chase them away. "Wait," said {hero}. "They are only hungry. [Let us
        make a picnic for them too|Let us give them something of their own]." {He} put some crumbs [on a leaf|on a
        flat stone|under a bush] far from the blanket. The ants smelled the crumbs and [marched away|marched over
        there|left the blanket], one after the other.

                                                Now {hero} and {friend} could eat in peace. They [shared
        everything|ate until they were full] and [watched a {creature} {deed}|looked at the clouds|told jokes]. "You
        were kind to the ants, and you were clever too," said {friend}. [{hero} learned that there is enough for
        everyone.|<friendship>]""",
    "the cold friend": """
        One [cold|snowy|icy] [winter |]morning, {who} looked out of the window. Everything was white! {He} put on
        {his} [warm|thick|{color}] {chilly} and ran outside. {He} [made a snowman|made snow angels|slid down the
        hill|caught snowflakes]. Then {he} saw <friend> by the {sight5}. {friend} was shivering. "[Why are you so
        cold|Where are your warm clothes|What is wrong]?" {hero} <asked>. "[The wind took my {chilly2}|I lost my
        {chilly2} in the snow|My {chilly2} is still wet]," said {friend}.

                                                {hero} thought for a moment. {He} took off {his} {chilly} and gave
        it to {friend}. "[Now you will be warm|Take it]," {he} <said>. Soon {friend} stopped shivering, but now
        {hero} was cold! So the two of them ran [quickly|as fast as they could] to {hero}'s house. {His} {parent}
        made a fire and gave them some {drink}, and soon both of them were warm.

                                                "[You gave me your own {chilly}|You were so kind to me]," {friend}
        <said>. The next day, {friend} came back with a [present|surprise]. It was a new {color2} {chilly3} [that
        {friend.his} grandma had knitted|with a little bell on it|from the market]. {hero} [put it on|tried it on]
        at once. [A kind heart keeps you warm, even in the snow.|<friendship>]""",
    "too many sweets": """
        <any_day>, {who} found a [big|whole|secret] {container} full of {sweet}. "[Only one after lunch|You may have
        two, and no more|Do not eat them all]," said {his} {parent} and went into the garden. {hero} ate one. It was
        so [good|sweet|yummy]! {He} ate another one, and another one, and another one. {He} did not stop until the
        {container} was empty.

                                                Then {his} tummy began to [hurt|ache|rumble]. "[Ouch, ouch|Oh, my
        tummy]!" {he} <cried>. {He} had to lie down on the sofa. {He} could not play {game}, and {he} did not want
        any {supper} for supper. {His} {parent} brought {him} some [mint|ginger|chamomile] tea. "I ate all the
        {sweet}," {hero} <whispered>. "I am sorry." "[I think that your tummy has told you already|Too much of a
        good thing is not good]," said {his} {parent} and sat down with {him}.

                                                [The next morning|After a long nap|The next day], {hero} felt
        better. [When {friend} brought {him} some {sweet2}, {he} ate only one and gave the others away.|{He} helped
        {his} {parent} bake new {sweet}, and this time {he} ate only one.] [It tasted better than all the others
        had.|"One is enough," {he} said.] {hero} learned that [too much is too much|a little is sometimes better
        than a lot].""",
    "hide and seek": """
        <day>, {who} played hide and seek with {his} friends {friend} and {pal}. {hero} had to [count to ten|count
        to twenty|close {his} eyes and count]. "[Ready or not, here I come|I am coming]!" {he} <cried>. {He} looked
        {hideout}. Nobody was there, only a {oddment}. {He} looked {hideout2}. There was nobody either. Then
        [somebody|someone] {giveaway}! "[I hear you|I found you], {pal}!" {hero} <cried>, and {pal} came out
        [laughing|with a grin].

                                                But where was {friend}? {hero} and {pal} looked [everywhere|high and
        low|for a long time]. They looked {hideout3}, but there was only a {oddment2}. [It was getting late|The sun
        went down], and they began to worry. "{friend}, come out! You win!" they called. There was no answer. Then
        {hero} heard a quiet sound. [Snore, snore!|It was a snore!] {He} followed the sound, and there was {friend},
        {hideout4}. {friend.He} had waited so long that {friend.he} had fallen asleep!

                                                {hero} [tickled|gently woke] {friend}. "[Did I win|Is it morning]?"
        {friend} <asked>, and all of them laughed. [They went home and had {supper} together.|"You are the best at
        hiding, and the best at sleeping," said {hero}.] [It had been a fun day.|<friendship>]""",
    "lost in the woods": """
        <day>, {who} went into the woods with {his} {parent} to pick [berries|mushrooms|nuts|{flower} blossoms].
        "[Stay close to me|Do not go too far]," said {his} {parent}. But {hero} saw a [beautiful|tiny|pretty|funny]
        {lure} and followed it. {He} followed it past a {sight}, between the {tree} trees, and over a little bridge.
        When the {lure} was gone, {hero} looked around. {He} did not know where {he} was! {He} called for {his}
        {parent}, but nobody answered. {hero} was <scared>.

                                                "[Who is crying here|Why do you cry|Are you lost]?" asked a voice.
        It was an old {helper} on a [branch|log|stone]. "I ran after a {lure}, and now I cannot find my {parent},"
        {hero} <whispered>. "[Do not be afraid|Dry your tears]," said the {helper}. "Follow the {trail}. It leads
        [out of the woods|back to the bridge|to the {sight2}]. And do not leave it!" {hero} thanked the {helper} and
        did exactly that. Soon {he} heard someone calling {his} name.

                                                It was {his} {parent}! {hero} ran into {parent.his} arms. "I was so
        worried," said {his} {parent}. "[I am sorry that I ran away|I should have stayed with you]," said {hero}.
        They [went home|walked home] side by side, and they had {supper} for supper. [From that day on, {hero}
        stayed close to {his} {parent} in the woods.|{hero} never forgot the kind old {helper}, and {he} never ran
        off alone again.]""",
    "an errand": """
        <any_day>, {who} was sent to the [shop|store|market]. "Please bring {grocery}, {grocery2}, and {grocery3},"
        said {his} {parent}. "[Can you remember that|Shall I write it down]?" "[That is easy|I can remember it],"
        said {hero}, and {he} set off with a {container}. Then {he} met <friend>, and they played {game} for a
        while. When {hero} came to the [counter|shop|market], {he} had forgotten everything! "[What did I need|Oh
        no, what was it]?" {he} <said>.

                                                {neighbor} the {shopman} [smiled|was patient|had an idea]. "[Think
        of the first thing|Close your eyes and think]," {neighbor.he} said. {hero} thought of the kitchen at home,
        and [slowly|little by little] {he} remembered. "I know! It was {grocery}!" {he} <cried>. Then {he}
        remembered {grocery2}. But the last thing would not come back, so {he} had to go all the way home and ask.
        This time {he} made a little song of it. "Tra-la-la, {grocery}, {grocery2}, and {grocery3}!" {he} sang all
        the way, and {he} did not stop to play.

                                                {hero} brought everything home. "[Well done|You are a big help],"
        said {his} {parent} and [made {supper}|gave {him} a {flavor} cookie]. [From then on, {hero} sang a song
        whenever {he} had to remember something.|{hero} learned to do {his} work first and to play later.|After
        that, {he} always wrote a list.]""",
    "a quarrel": """
        <any_day>, {who} and {his} friend {friend} found a {turns} [near the {sight}|in the attic|in the yard|behind
        the {sight}]. "[It is mine|I saw it first]!" said {hero}. "No, [it is mine|I want it]!" said {friend}. Both
        of them pulled [and pulled|as hard as they could]. Then {friend} let go, and {hero} fell [into a puddle|into
        the mud|over backward|on the ground]. "[You did that on purpose|I do not like you anymore]!" {he} <cried>.
        {He} took the {turns} and [walked away|ran home].

                                                At home, {hero} [sat alone with|looked at] the {turns}. It was no
        fun without {friend}. {He} [ate a {snack}, but it did not taste good|opened a book about {topic}, but {he}
        could not read|looked out of the window and felt <sad>]. "[What is wrong|Why are you so quiet]?" asked {his}
        {elder}, and {hero} told {elder.him} everything. "A {turns} is good, but a friend is better," said {his}
        {elder}. "[You can take turns|You could share it]."

                                                {hero} ran to {friend}'s house. "[I am sorry|Please forgive me],
        {friend}. [You can have the first turn|You go first]," {he} <kindly>. {friend} [smiled|was glad]. "I am
        sorry too," {friend.he} <said>. So they took turns with the {turns} until [supper|it was dark|the stars came
        out], and it was [twice as much fun|more fun than before]. [{hero} learned that saying sorry can mend a
        friendship.|{hero} learned that taking turns is better than pulling.|<friendship>]""",
    "the show": """
        <any_day>, {who} heard that there would be a show in {village}. Everyone could sing, dance, or play. {hero}
        wanted to play the {instrument2}, so {he} practiced [every day|each evening|morning and night] [for a
        week|until {he} knew {his} song by heart].

                                                At last it was time. First, <friend> played the {instrument3}, and
        then a {pal.kind} named {pal} told jokes about {topic}. Then it was {hero}'s turn. {He} looked out from
        behind the curtain. There were so many people! {His} legs began to shake. "[I cannot do it|I want to go
        home|They will laugh at me]," {he} <whispered>. {friend} came and stood next to {him}. "I was
        [nervous|scared] too," {friend.he} <said>. "[Take a deep breath|Look only at me|Think of something nice],
        and then begin."

                                                {hero} took a deep breath and walked onto the stage. {He} looked at
        {friend}, who was smiling, and began to play. The first note was quiet, but then the music became
        [louder|stronger|more beautiful]. {He} forgot that {he} had been afraid. When the song was over, everyone
        clapped and [called for more|stamped their feet|threw {flower} blossoms]. "[You were brave|I knew you could
        do it]!" {friend} <cried>. [{hero} learned that being brave means to be afraid and to do it
        anyway.|<friendship>]""",
    "a messy room": """
        <any_day>, {who} wanted to play with {his} {toy}, but {his} room was a mess. There were {stuff} on the
        {furniture}, {stuff2} on the floor, and {stuff3} everywhere. {hero} [ran|walked] across the room and tripped
        over a {oddment}. [Bump|Ouch|Plop]! {He} fell down and hurt {his} [nose|leg|elbow]. "[Who put that there|Why
        is this lying here]?" {he} <said>. But {he} knew that {he} had put it there {himself}.

                                                "[If everything had a place, you would not fall|A tidy room is a
        safe room]," said {his} {parent}. So {hero} began to tidy up. {He} put the {stuff} into a {container} and
        the {stuff2} into a {container2}. {His} friend {friend} came to help, and [they sang while they worked|they
        made a game of it|it went twice as fast]. Under the {furniture2} they found a {oddment2}, a {oddment3}, and
        a {oddment4}. And behind the {furniture3}, what was that? It was the {toy}!

                                                Now the floor was clear, and there was room to play. {hero} and
        {friend} played [with the {toy}|{game}] all afternoon, and nobody tripped. "[I like my room now|This is much
        better]," {he} <said>. [From then on, {hero} tidied {his} room every {weekday2}.|{hero} learned that you
        find things again when they have a place.]""",
    "shapes in the clouds": """
        <day>, {who} and {his} friend {friend} lay in the grass [near the {outdoors}|under a {tree} tree|by the
        {sight}] and looked at the clouds. "[Look|Oh, look], that cloud is a {shape}," {hero} <said>. "I see a
        {shape2}," said {friend}, "and over there is a {shape3} with a {shape4}." They laughed and [pointed|looked
        for more].

                                                Then a big cloud came. "That is a {shape5}," said {hero}. "No, it is
        a {shape6}," said {friend}. "A {shape5}!" "A {shape6}!" They [became angry|almost began to quarrel]. Just
        then {neighbor} the {job} came by. "[What do you see|What are you looking at], you two?" {neighbor.he}
        <asked>. "I see a {shape7}." {hero} and {friend} looked at each other. All three of them saw something
        different! They [tilted their heads|looked again], and now {hero} saw the {shape6}, and {friend} saw the
        {shape5}. They had both been right.

                                                [Soon the wind blew, and the big cloud was gone.|Then the cloud
        became gray, and it began to rain, so they ran home.|When the sun went down, the clouds became pink and
        gold.] At home, {hero} drew a picture with a {shape5} on one side and a {shape6} on the other, and {he} gave
        it to {friend}. [{hero} learned that two friends can see different things and both be right.|<friendship>]""",
    "a dream": """
        <night>, {who} could not sleep, so {he} looked out of the window. There, in the moonlight, stood a {color}
        {vessel}! "[Come with me|Climb in|Jump in]," called a little {royal}. "[I need your help|We must be quick]."
        {hero} climbed out of bed, and away they went, [over the roofs|past the stars|through the night], all the
        way to {realm}.

                                                "A {monster} has [taken|stolen] my {gift}," said the {royal}, "and
        now [nobody can laugh|all the lights are out|the flowers do not grow|everyone is sad] here." They found the
        {monster} [in a deep cave|behind a silver door|under a black tree]. It looked [terrible|big and angry], but
        {hero} saw a tear in its eye. "Why did you take the {gift}?" {he} <asked>. "[Nobody ever plays with me|I am
        always alone]," said the {monster}. "I only wanted somebody to come." "[Then come and play with us|You can
        be our friend]," said {hero}. The {monster} smiled for the first time and gave the {gift} back. They all
        [danced|sang|played {game}|ate {sweet}] together.

                                                Then {hero} opened {his} eyes. {He} was in {his} bed, and the sun
        was shining. "It was only a dream," {he} <said>. But what was that [on {his} pillow|on the windowsill|next
        to {his} bed]? It was a [tiny|small] {gift}! {hero} smiled. [{He} remembered that even a {monster} may only
        need a friend.|That day, {he} asked the loneliest {friend.kind} in {village} to play with {him}.]""",
    "a trip": """
        <any_day>, {who} and {his} {parent} [went|took the bus|took the train] to the
        [<zoo_trip>|<sea_trip>|<museum_trip>]. {hero} looked at it for a long time, because it was so
        [beautiful|interesting|strange|wonderful].

                                                When {he} turned around, {his} {parent} was gone! {He} looked to the
        left. {He} looked to the right. There were many people, but no {parent}. {hero} was <scared>. {He} wanted to
        run, but then {he} remembered what {his} {parent} always said. "If you are lost, stay where you are and ask
        for help." So {hero} stayed [near the door|next to a bench|where {he} was] and asked a [kind lady|guard|tall
        man] with a {color} {wear2}. "[Excuse me, I have lost my {parent}|Please help me find my {parent}]," {he}
        <said>.

                                                They [called the name of {hero}'s {parent} over the
        loudspeaker|waited together], and soon {his} {parent} came running. "There you are!" {parent.he} <cried> and
        hugged {him}. "I walked on and thought that you were behind me. You were [clever|smart] to stay in one
        place." Then they [bought a {flavor} ice cream|ate a {snack}|looked at everything again] together. [From
        that day on, {hero} always told {his} {parent} when {he} wanted to stop.|{hero} knew now what to do when
        {he} was lost, and {he} was not afraid anymore.]""",
    "a library book": """
        <any_day>, {who} borrowed a [big|new|beautiful] book about {topic} from the library. {He} liked it so much
        that {he} read it [in bed|under a {tree} tree|at breakfast|in the garden]. But {he} was careless and knocked
        over a cup of {drink}. [Splash|Oh no]! The pages were all wet. {hero} felt <sad>. {He} dried the book [in
        the sun|near the stove], but there was still a big [brown |]stain on it.

                                                "What shall I do?" {he} asked {his} {elder}. "[Tell them what
        happened|Take it back and say that you are sorry]," {elder.he} said. {hero} walked to the library with the
        book. "I am sorry," {he} <whispered> to {neighbor} the librarian. "I spilled {drink} on the book. I have no
        money, but I can help you." {neighbor} looked at the stain and then at {hero}. "Thank you for telling me,"
        {neighbor.he} said. "You may help me with the books this week."

                                                So every afternoon, {hero} put books on the shelves, books about
        {topic2}, {topic3}, and {topic4}. {He} liked it there. At the end of the week, {neighbor} <smiled>. "The
        book is paid for," {neighbor.he} said, "and here is a new one for you to read." [{hero} never had a drink
        near a book again.|{hero} learned to take good care of borrowed things.|From then on, {hero} helped in the
        library every {weekday2}.]""",
    "a sandcastle": """
        One [sunny|warm|hot|bright|summer] day, {who} went to the beach with <friend>. <their_way>They built a
        sandcastle [close to the water|right by the sea], where the sand was wet. It had [two|three|four] towers,
        and they put [shells|pebbles and shells|seaweed] on the walls. "[It is the best castle in the world|It looks
        like a real castle]!" {hero} <cried>.

                                                But the water came nearer and nearer. Then a big wave came, and
        [whoosh|swish|splash], the castle was gone! {friend} began to cry. {hero} felt <sad>, but then {he} [saw a
        {sea} in the water|looked at the wet sand] and had an idea. "The sea comes up here," {he} <said>. "We must
        build farther up, where the waves cannot reach it."

                                                They carried wet sand in a [bucket|pail|hat] up the beach, again and
        again. It was hard work, but they [laughed|sang|helped each other], and the new castle was even
        [bigger|taller|more beautiful] than the first one. They put a [{color} |white |]feather on top as a flag. A
        wave came, and another one, but the castle stayed dry. [They had learned from the first castle how to build
        a better one.|<friendship>|<trying>]""",
    "a sick friend": """
        <any_day>, {who} wanted to play {game} with <friend>. {He} knocked on the door, but {friend} did not come
        out. "{friend} is sick," said {friend.his} {parent}. "{friend.He} [got wet in the rain|swam in the cold
        lake|played in the snow without a {chilly}] and caught a cold, so {friend.he} must stay in bed." {hero} felt
        sorry for {friend.him}. "[How can I help|What can I do to help]?" {he} thought.

                                                {hero} went home. <way>Together with {his} {elder}, {he} cooked [a
        soup|a pot of soup|a hot soup]. {He} put it in a basket and added a book about {topic} and a {flower} from
        the garden. Then {he} [carried|took] everything to {friend}. "[This is for you|I brought you something], so
        that you get well soon," {he} <kindly>. {friend} ate the soup, and it made {friend.him} warm. {hero} sat by
        the bed and read to {friend.him} until {friend.he} fell asleep.

                                                {hero} came [every day|again the next day and the day after], and
        each day {friend} was a little better. After [five days|a week], {friend} [jumped|climbed] out of bed. "[I
        am well again|Your soup made me strong]!" {friend.he} <cried>. Now they could play {game} at last.
        [<friendship>|<helping>]""",
    "a present for grandma": """
        <any_day>, {who} remembered that it was {his} {elder}'s birthday. {He} wanted to give {elder.him} a
        {present}, but {he} had no money. {He} looked in {his} {container}, but all {he} found was a {oddment} and a
        {oddment2}. {hero} felt <sad>. "[What can I give|What can I do]?" {he} thought.

                                                Then {he} had an idea. The best presents do not come from a shop!
        {He} went outside to find pretty things. <way>{He} picked a {flower}, a {flower2}, and a {flower3}, and {he}
        found a [smooth|white|shiny] stone. At home, {he} painted a {zoo} on the stone with {color} and {color2}
        paint. It took all [morning|afternoon], and {he} got paint on {his} nose. Then {he} tied the flowers
        together with a [ribbon|string|blade of grass].

                                                {hero} took everything to {his} {elder}. "Happy birthday! I made it
        [myself|all by myself]," {he} <said>. {His} {elder} looked at the stone for a long time. "[It is the best
        present of all|Nobody has ever made me something so beautiful], because you made it for me," {elder.he}
        said, and {elder.he} <smiled>. They ate a big slice of {flavor} cake together. [{hero} learned that a
        present need not cost anything.|The painted stone stood on the {surface} ever after.|{hero} learned that the
        best gifts come from the heart.]""",
    "mud": """
        <day>, {who} saw a big puddle full of mud. {He} jumped right into it. [Splash|Splish, splash|Plop]! {He}
        rolled in it and laughed until {he} was [brown|muddy|dirty] from head to toe. But when {he} came home, {his}
        {parent} stopped {him} at the door. "[Not one step farther|Look at you|What a mess]!" {parent.he} <cried>.
        "You need a bath."

                                                {hero} did not like baths. But {his} {parent} filled the tub with
        warm water and put in [bubbles|a rubber duck|a toy boat]. {hero} put in one toe. It felt [nice|good|warm].
        Soon {he} was playing in the water, and all the mud came off. "[Can I stay a little longer|Baths are fun|I
        did not know that a bath is so nice]!" {he} <cried>. {His} {parent} laughed. Afterward {hero} was clean and
        [sleepy|warm|soft].""",
    "staying up late": """
        <night>, {who} did not want to go to sleep. "[I am not tired|Just one more game|Just one more story]," {he}
        <said>, although {he} had to yawn. When {his} {parent} had turned off the light, {hero} got up again and
        played with {his} {toy} until [midnight|very late].

                                                The next day there was a [picnic|party|puppet show|parade] [in the
        park|in the garden], and all {his} friends were there. But {hero} was so tired that {he} sat down under a
        {tree} tree and fell asleep. {He} slept and slept. When {he} woke up, everything was over, and everyone had
        gone home. {hero} felt <sad>. That night, {he} went to bed early. "[Good night|Sleep well]," said {his}
        {parent} and kissed {him}. {hero} learned that [sleep is not lost time|you need your sleep to have fun].""",
    "a butterfly": """
        <day>, {who} saw a [beautiful|{color}|big {color}] butterfly on a {flower}. "[I want to catch it|I want to
        hold it|Come to me]!" {he} <said>. {He} ran after it, but the butterfly was afraid and flew away. {He}
        jumped at it, and it flew to the next flower. {hero} ran and jumped until {he} was out of breath.

                                                At last {he} was so tired that {he} sat down in the grass and did
        not move. It was very quiet. Then something [tickled {his} nose|touched {his} ear]. It was the butterfly! It
        sat on {his} nose and opened its wings. {hero} did not move at all. "[Hello|Hello, butterfly]," {he}
        <whispered>. {He} learned that [some things come to you when you are quiet|you must be gentle to win a
        friend].""",
    "the echo": """
        <day>, {who} climbed a hill near {village}. "Hello!" {he} <cried>. "Hello!" answered a voice from the other
        side. {hero} was surprised. "Who are you?" {he} <cried>. "Who are you?" asked the voice. {hero} became
        angry. "You are silly!" {he} <cried>. "You are silly!" said the voice. {hero} ran home and told {his}
        {elder} about [it|the rude voice].

                                                {His} {elder} smiled. "[Go back tomorrow and say something nice|Try
        it again with a kind word]," {elder.he} said. So the next morning, {hero} climbed the hill again. "I like
        you!" {he} <cried>. "I like you!" answered the voice. {hero} laughed. [It was an echo, and it gave back
        whatever it got.|Now {he} knew that it was an echo.] {He} learned that [kind words come back to you|people
        talk to you as you talk to them].""",
    "too heavy": """
        <day>, {who} found a [big|huge|giant] {heavy} [in the garden|near the {sight}|at the edge of a field]. {He}
        wanted to take it home for supper. {He} pulled and pushed, but the {heavy} was too heavy. It did not move at
        all. Then <friend> came along. "[Can I help you|Do you need help]?" {friend.he} <asked>. "No, I can do it
        alone," {hero} <said>. {He} pulled again and fell on {his} back.

                                                "[Please help me|Yes, please help me]," {hero} <said> at last. So
        {friend} pushed and {hero} pulled, and the {heavy} began to roll. They [rolled it|pushed it] all the way to
        {hero}'s house. {His} {elder} cooked a big pot of soup with it, and there was enough for everyone. [Two can
        do what one cannot.|{hero} learned that it is good to ask for help.|<friendship>]""",
    "thunder": """
        <night>, {who} lay in bed when there was a bright flash. Then came the thunder. [Boom|Crash|Bang]! {hero}
        was <scared>. {He} ran to {his} {parent} and hid under the blanket. "[Is the sky breaking|Will it hurt us]?"
        {he} <whispered>.

                                                "[It is only a storm|It is just thunder]," said {his} {parent}. "Let
        us count. When you see the flash, begin to count until you hear the thunder. If you can count farther each
        time, the storm is going away." There was a flash. "One, two, three," said {hero}. Boom! There was another
        flash. "One, two, three, four, five, six," said {hero}. The thunder was quieter now. {He} counted [and
        counted|to ten, and then to twenty], and then there was only the sound of the rain. {hero} was not afraid
        anymore, because {he} knew that the storm was far away. Soon {he} was asleep.""",
    "hot soup": """
        <any_day>, {who} came home [very hungry|as hungry as a wolf] after playing {game}. There was a [pot|bowl] of
        soup on the table. "[Wait|Be careful], it is still hot," said {his} {parent}. But {hero} did not wait. {He}
        put a big spoonful into {his} mouth. "[Ouch|Ow, ow]!" {he} <cried>. It had burned {his} tongue.

                                                {His} {parent} gave {him} a [glass|cup] of cold water, and that made
        it better. "[Blow on it first|Blow on the spoon and count to five]," said {his} {parent}. {hero} blew on the
        soup, and it became cooler. This time it was just right, and {he} ate it all up. [From then on, {hero}
        always waited a little.|{hero} learned to be patient and to listen.]""",
    "the brook": """
        <day>, {who} and {his} friend {friend} wanted to cross a brook. There was no bridge, only a row of stones.
        {friend} hopped across. "[Come on|It is easy|Now you], {hero}!" {friend.he} <cried>. But {hero} looked at
        the fast water and was <scared>. "[I cannot do it|I will fall in]," {he} <whispered>.

                                                {friend} did not laugh. {friend.He} came back and held out
        {friend.his} {friend.hand}. "[One stone at a time|Look at me and not at the water]," {friend.he} <kindly>.
        {hero} took {friend.his} {friend.hand} and stepped on the first stone. Then {he} stepped on the second one,
        and then on the third. {He} wobbled, but {friend} held {him} tight. And then {he} was on the other side! "[I
        did it|That was fun]!" {hero} <cried>. On the way back, {he} hopped across all alone. <trying>""",
}

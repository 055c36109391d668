"""The words of the embedded stories, grouped by what can be done with them.

Words of a group are separated by commas, and the first ones come more often. A group with several names holds
records, whose parts are separated by slashes and are drawn together, so that what belongs together stays together.
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
Boris, Brian, Bruce, Caleb, Carl, Charlie, Chris, Colin, Cyrus, David, Dennis, Diego, Dominic, Dylan, Eddie, Eli, Elliot,
Emil, Eric, Ethan, Felix, Frank, Fred, Gabriel, George, Gilbert, Gordon, Graham, Gus, Harold, Harry, Hassan, Hector, Hugo,
Ian, Isaac, Ivan, Jacob, James, Jason, Jesse, Jonah, Josh, Juan, Julian, Kai, Karim, Keith, Ken, Kevin, Kyle, Lars, Leon,
Levi, Lionel, Logan, Louis, Marco, Martin, Marvin, Mason, Matthew, Miguel, Milo, Mohamed, Nathan, Neil, Nigel, Oliver,
Omar, Otto, Patrick, Pedro, Philip, Rafael, Ralph, Raj, Ray, Ricky, Robert, Roger, Ronnie, Ryan, Samir, Sean, Sebastian,
Stanley, Steve, Stuart, Ted, Thomas, Tony, Victor, Vincent, Walter, Wesley, Yusuf, Zack
"""

# Animals have names of their own, so that a name tells its bearer's gender wherever it stands.
SHE_ANIMALS = """
Daisy, Coco, Bunny, Penny, Honey, Pippa, Dotty, Sunny, Snowy, Poppy, Misty, Tilly, Kitty, Lulu, Mimi, Fifi, Angel, Blossom,
Bluebell, Bubbles, Buttercup, Button, Candy, Caramel, Cherry, Cinnamon, Clementine, Clover, Crystal, Cupcake, Dainty,
Dandelion, Dazzle, Duchess, Fancy, Feather, Fern, Flossie, Fluffy, Freckles, Gigi, Goldie, Hattie, Heather, Jewel, Jingle,
Juniper, Kiki, Lady, Lavender, Lemon, Lilac, Lolly, Mango, Maple, Marigold, Marshmallow, Minnie, Mocha, Muffin, Myrtle,
Nutmeg, Olive, Opal, Pansy, Paprika, Peaches, Pebbles, Petal, Petunia, Pinky, Pixie, Primrose, Princess, Pumpkin, Queenie,
Rosie, Saffron, Sapphire, Sasha, Shimmer, Snowdrop, Sparkle, Sprinkles, Sugar, Sweetie, Tansy, Tinker, Toffee, Trixie,
Truffle, Tulip, Twinkle, Velvet, Violet, Whisper, Willow, Winnie, Zinnia
"""

HE_ANIMALS = """
Buddy, Spot, Benny, Teddy, Rusty, Bruno, Sparky, Patch, Rex, Biscuit, Pip, Fuzzy, Bingo, Barney, Ziggy,
Acorn, Archie, Ash, Bandit, Barkley, Bean, Blaze, Bolt, Boomer, Bouncer, Bramble, Bristle, Brownie, Bumble,
Buster, Captain, Chester, Chip, Chuckles, Clyde, Cobalt, Comet, Copper, Cosmo, Crackers, Dash, Dexter, Digger, Domino, Doodle,
Duke, Dusty, Fergus, Fidget, Flash, Flint, Frosty, Fudge, Gizmo, Grumble, Gulliver, Harvey, Hopper, Humphrey, Jasper, Jester,
Jumper, Jupiter, King, Knobby, Lucky, Major, Marble, Mittens, Moe, Mosey, Muddles, Murphy, Noodle, Nibbles, Nugget, Oakley,
Oreo, Paddy, Peanut, Pepper, Percy, Pickle, Pirate, Pogo, Popcorn, Prince, Puddle, Puffin, Quincy, Radish, Ranger, Rascal,
Ringo, Rocket, Rocky, Rolo, Rufus, Rumble, Scamper, Scooter, Scout, Scruffy, Shadow, Smokey, Snuffles, Socks, Sprout, Storm,
Taco, Tango, Thistle, Thunder, Tiger, Toast, Tucker, Tumble, Turbo, Twig, Waffles, Waldo, Whiskers, Wiggles, Winston, Woody,
Yogi, Zippy
"""

SURNAMES = """
Hill, Green, Brown, White, Baker, Bell, Wood, Lane, Pond, Field, Moss, Reed, Rivers, Stone, Winter, Summers, Applegate,
Barnes, Bellamy, Bixby, Bloom, Bramley, Brooks, Butterworth, Carter, Chen, Clay, Collins, Cooper, Crumb, Dawson, Dimple,
Doyle, Drake, Evans, Finch, Fletcher, Flores, Fox, Garcia, Gibson, Goodwin, Gray, Griffin, Hawkins, Higgins, Hopkins,
Hudson, Jenkins, Johnson, Kelly, Khan, Kim, Larkin, Lopez, Marsh, Mason, Miller, Morgan, Murphy, Nelson, Nguyen, Olsen,
Parker, Patel, Perkins, Pickett, Porter, Potts, Quimby, Robinson, Rossi, Sanders, Shepherd, Silva, Singh, Smith, Sparrow,
Tanaka, Taylor, Thornton, Tucker, Turner, Wagner, Walker, Watson, Webster, Whitaker, Wilson, Young
"""

# species/what it holds things with/what covers it
SPECIES = """
dog/paw/fur, cat/paw/fur, rabbit/paw/fur, bear/paw/fur, mouse/paw/fur, fox/paw/fur, puppy/paw/fur, kitten/paw/fur,
squirrel/paw/fur, duck/wing/feathers, pig/hoof/ears, lamb/hoof/wool, pony/hoof/mane, hedgehog/paw/spines, owl/wing/feathers,
bunny/paw/fur, hamster/paw/fur, monkey/paw/fur, lion/paw/fur, panda/paw/fur, raccoon/paw/fur, goat/hoof/ears,
elephant/trunk/ears, badger/paw/fur, beaver/paw/fur, otter/paw/fur, mole/paw/fur, koala/paw/fur, tiger/paw/fur,
penguin/wing/feathers, chick/wing/feathers, donkey/hoof/ears, calf/hoof/ears, wolf/paw/fur, deer/hoof/fur,
chipmunk/paw/fur, gosling/wing/feathers, piglet/hoof/ears, zebra/hoof/mane, giraffe/hoof/fur, kangaroo/paw/fur,
dragon/claw/wings, robin/wing/feathers, weasel/paw/fur, ferret/paw/fur, lynx/paw/fur, moose/hoof/ears, meerkat/paw/fur
"""

WORDS = {
    # who and where
    "size": "little, little, little, small, young, tiny",
    "trait": """
        kind, brave, curious, gentle, cheerful, friendly, clever, happy, playful, shy, funny, silly, polite, helpful, lively,
        quiet, careful, honest, sweet, smart, merry, patient, bold, generous, thoughtful, loyal, hopeful, jolly, caring,
        adventurous, bouncy, bright, calm, charming, chatty, courageous, creative, daring, determined, dreamy, eager,
        earnest, easygoing, energetic, fearless, forgiving, giggly, good-natured, graceful, hardworking, humble,
        imaginative, independent, inventive, kindhearted, lovable, mischievous, modest, neat, nimble, observant, obedient,
        optimistic, peaceful, perky, quick, quick-witted, reliable, respectful, sensible, sociable, spirited, stubborn,
        sturdy, talkative, tender, tidy, trusting, truthful, warmhearted, wise, witty, zany
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
        forest, river, lake, hill, meadow, sea, beach, valley, pond, farm, park, stream, mountain, garden, orchard, harbor,
        canyon, cliff, creek, desert, dune, field, glade, grove, island, jungle, lagoon, marsh, pasture, prairie, railway,
        reef, shore, swamp, vineyard, waterfall, windmill, bay, moor
    """,
    "village": """
        Willowbrook, Sunnyvale, Maplewood, Honeyfield, Rosedale, Oakville, Riverton, Appleton, Meadowlark, Berryhill,
        Birchwood, Bluewater, Brambleton, Brookside, Butterfield, Cedarville, Cherrydale, Clearwater, Cloverdale, Crestview,
        Daisytown, Dewberry, Duckpond, Eastwick, Elmhurst, Fairhaven, Fernwood, Foxglove, Goldenhill, Goosebury, Greenfield,
        Hazelton, Heatherfield, Hilltop, Hollybrook, Larkspur, Lilyford, Littleton, Merryville, Millbrook, Mossbridge,
        Northgate, Nutwood, Orchardton, Otterbrook, Pebbleton, Pinecrest, Plumfield, Puddleford, Redwood, Rockport,
        Sandybay, Silverlake, Snowhill, Springfield, Starfall, Stonebridge, Summerfield, Swanlake, Thistledown, Thornbury,
        Timberland, Tumbledown, Westbrook, Whitecliff, Windermere, Winterbourne, Woodland
    """,
    "job": """
        baker, farmer, gardener, teacher, mailman, doctor, shopkeeper, librarian, carpenter, painter, fisherman, nurse, tailor,
        cook, milkman, firefighter, policeman, florist, grocer, butcher, barber, beekeeper, blacksmith, builder, bus driver,
        candlemaker, clockmaker, cobbler, dentist, dressmaker, electrician, engineer, ferryman, glassblower, goatherd,
        hatmaker, innkeeper, janitor, jeweler, judge, lamplighter, locksmith, lumberjack, mayor, mechanic, miller, musician,
        organist, pharmacist, photographer, pilot, plumber, poet, postman, potter, printer, ranger, repairman, sailor, sculptor,
        shepherd, shoemaker, soldier, toymaker, trumpeter, veterinarian, waiter, watchmaker, weaver, woodcutter
    """,
    "dream_job": """
        doctor, teacher, pilot, dancer, singer, astronaut, firefighter, painter, chef, explorer, captain, acrobat, actor,
        archaeologist, architect, artist, astronomer, author, ballerina, botanist, biologist, cartoonist, chemist, clown,
        composer, conductor, designer, detective, diver, drummer, editor, fisher, geologist, goalkeeper, guitarist, gymnast,
        hairdresser, inventor, journalist, juggler, knight, magician, mountaineer, novelist, paleontologist, physicist,
        pianist, pirate, programmer, racer, reporter, scientist, skater, surgeon, swimmer, tour guide, train driver, violinist,
        weather forecaster, writer, zookeeper
    """,
    "hobby": """
        play, play in the park, sing, dance, run, jump, play outside, read books, explore, draw pictures, swim, play with friends,
        chase butterflies, climb trees, tell jokes, splash in puddles, pick flowers, look at the stars, listen to stories,
        help others, blow bubbles, build sandcastles, collect shells, count stars, paint, roll down hills, skip, hop,
        play hide and seek, make new friends, watch the clouds, fly kites, bake cookies, watch birds, eat berries, jump in leaves,
        whistle tunes, solve riddles, solve puzzles, ride in the wagon, wander by the river, hum songs, play the drums,
        visit grandma, feed the ducks, gather acorns, catch snowflakes, dig in the sand, make mud pies, march like a soldier,
        pretend to be a pirate, pretend to be a superhero, tumble in the hay, twirl in circles, water the garden, float paper boats,
        race down the lane, rescue ladybugs, search for treasure, sketch animals, slide down the slope, smell the roses,
        spin around, stack blocks, stargaze, stroll through the woods, swing, swap stickers, sort pebbles, throw snowballs,
        tickle grandpa, toss pancakes, wade in the brook, weave baskets, wrestle with pillows, write poems, yodel, invent games,
        giggle, gallop around the yard, follow snails, doodle, decorate cupcakes, cuddle, compose melodies, bounce on the bed,
        balance on logs, arrange flowers, act in plays, admire rainbows, build forts, crack nuts, craft necklaces, cartwheel,
        discover new places, fold paper animals, imitate animals, juggle, knit, learn new words, leap over logs, mimic birds,
        paddle in the pond, peek into nests, perform magic tricks, plant seeds, polish pebbles, practice ballet, prance about,
        recite rhymes, roam the hills, scribble, study bugs, tinker with old clocks, trace shadows, travel, trot, wink at people
    """,
    "hair": """
        brown, black, red, curly, long, short, golden, wavy, blond, messy, straight, ginger, spiky, chestnut, fluffy, braided,
        auburn, frizzy, tangled, silky
    """,
    "coat": "brown, white, black, gray, golden, orange, spotted, silver, striped, shiny, tan, snowy, speckled, cream, reddish",
    "wear": """
        hat, scarf, sweater, bow, ribbon, cap, coat, vest, bandana, backpack, bell, necklace, raincoat, cape, jacket, beanie,
        belt, bonnet, bracelet, bow tie, brooch, cloak, headband, hood, jersey, locket, poncho, shawl, shirt, sash, tie
    """,
    "color": """
        red, blue, green, yellow, pink, purple, orange, white, brown, golden, silver, gray, black, turquoise, violet, scarlet,
        crimson, lavender, lilac, amber, aqua, beige, bronze, coral, emerald, indigo, ivory, khaki, lime, magenta, maroon, mauve,
        navy, olive, peach, plum, rainbow-colored, ruby, rust, sapphire, tan, teal
    """,
    "collection": """
        shells, stamps, buttons, leaves, stones, feathers, marbles, coins, stickers, acorns, pine cones, postcards, bells, beads,
        bookmarks, bottle caps, corks, crystals, erasers, figurines, fossils, keys, labels, magnets, maps, medals, napkins,
        pebbles, pencils, pins, posters, puppets, ribbons, rubber ducks, spinning tops, teacups, teddy bears, thimbles, tickets,
        toy trains, wrappers
    """,
    # things
    "lost": """
        ball, teddy bear, hat, scarf, kite, doll, blanket, mitten, whistle, drum, necklace, book, toy car, puppet, yo-yo, flute, cap,
        slipper, backpack, bracelet, camera, compass, crayon box, diary, flashlight, glove, harmonica, jump rope, key,
        locket, lunchbox, magnifying glass, medal, mirror, music box, notebook, paintbrush, pinwheel, pocket watch, purse,
        rattle, ribbon, ring, robot, rubber duck, sailboat, shoe, spinning top, tambourine, toy rabbit, toy train, umbrella, wallet,
        wand
    """,
    "furniture": """
        bed, table, chair, sofa, rug, desk, bookshelf, couch, dresser, bench, stove, piano, wardrobe, armchair, stool, cabinet,
        cradle, crib, cupboard, curtain, footstool, fridge, hammock, lamp, mattress, nightstand, pillow, radiator, rocking chair,
        sideboard, sink, staircase
    """,
    "container": """
        box, basket, drawer, toy chest, bag, closet, bucket, trunk, jar, suitcase, barrel, bin, bowl, cardboard box, carton, crate,
        envelope, hamper, kettle, pail, pouch, sack, tin, toolbox, tub, vase
    """,
    "oddment": """
        sock, button, spoon, pencil, coin, marble, feather, comb, crayon, shoelace, ribbon, cork, cotton ball, acorn, bead, bookmark,
        bolt, brush, candle stub, card, chestnut, clip, clothespin, coaster, cookie crumb, cup, dice, domino, dust bunny, earring,
        eraser, fork, glue stick, hairpin, handkerchief, hanger, hook, jigsaw piece, ladle, leaf, letter, lid, magnet, map, match box,
        measuring tape, nail, napkin, needle, newspaper, notepad, nut, paper clip, peanut, pebble, penny, photograph, pine cone,
        plug, postcard, receipt, rubber band, ruler, safety pin, screw, seashell, shell, sponge, spring, stamp, sticker, straw, string,
        tack, teaspoon, thimble, thread spool, ticket, toothbrush, toothpick, twig, washcloth, walnut, wheel, zipper, stocking
    """,
    "stuff": """
        books, toys, socks, clothes, blankets, towels, shoes, old papers, yarn, buttons, letters, pillows, boots, candles, costumes,
        cables, cushions, dishes, hats, jars, magazines, newspapers, onions, pans, photographs, pinecones, potatoes, ropes,
        sheets, tools, walnuts, wool
    """,
    "sight": """
        bridge, barn, mailbox, fence, fountain, well, windmill, bench, statue, wagon, gate, scarecrow, haystack, puddle, sign,
        tractor, boat, stone wall, garden, signpost, birdhouse, bicycle, bonfire, bus, bus stop, canoe, carousel, cart, chapel,
        chimney, church, clock tower, crossroads, doghouse, ferry, flagpole, flowerpot, gazebo, greenhouse, hedge, hen house,
        inn, ladder, lamppost, lighthouse, market stall, maypole, merry-go-round, monument, mushroom, nest, newsstand, orchard,
        pile of logs, playground, pump, raft, rosebush, sandbox, school, seesaw, shed, silo, snack bar, stable, stump, sundial,
        swing, telephone booth, tent, tollgate, train, truck, tunnel, vineyard, wheelbarrow, wind chime, woodpile
    """,
    "look": """
        old, tall, big, tiny, pretty, funny, red, strange, wooden, crooked, lonely, small, bright, ancient, beautiful, broken,
        charming, colorful, creaky, curious, dusty, elegant, empty, enormous, faded, famous, fancy, forgotten, gigantic, grand,
        handsome, huge, long, low, lovely, magnificent, marvelous, mossy, mysterious, neat, new, odd, ordinary, peculiar,
        plain, quaint, rusty, shabby, shiny, simple, splendid, spooky, sturdy, tidy, unusual, weathered, wide, wonderful, wobbly
    """,
    "creature deed": """
        bird/singing in a tree, frog/hopping over a log, bee/buzzing around a flower, butterfly/dancing in the air,
        squirrel/eating a nut, duck/swimming in a pond, cat/sleeping in the sun, snail/crawling on a leaf, ant/carrying a crumb,
        horse/eating hay, cow/chewing grass, rabbit/nibbling clover, beetle/rolling a tiny ball, bat/hanging upside down,
        blackbird/tugging at a worm, bull/snorting loudly, bumblebee/humming softly, caterpillar/munching on a leaf,
        chicken/scratching the ground, cricket/chirping in the weeds, crow/cawing from a rooftop, cuckoo/calling from the woods,
        dragonfly/darting over the reeds, eagle/soaring high above, earthworm/wriggling in the soil, firefly/glowing faintly,
        fish/leaping out of the water, fly/washing its legs, goldfinch/pecking at seeds, goose/honking at a dog,
        grasshopper/jumping through the grass, gull/gliding on the breeze, hawk/circling overhead, hen/clucking to her chicks,
        heron/standing on one leg, hummingbird/sipping nectar, jackdaw/stealing something shiny, kingfisher/diving into the stream,
        ladybug/climbing a stem, lark/rising into the sky, lizard/basking on a warm rock, magpie/chattering on a fence,
        mockingbird/copying a whistle, mosquito/whining, moth/fluttering near a lamp, mule/pulling a cart,
        newt/hiding under a stone, nightingale/warbling sweetly, parakeet/preening itself, partridge/scurrying away,
        peacock/spreading its tail, pelican/scooping up water, pheasant/strutting proudly, pigeon/cooing on a ledge,
        quail/leading her babies, rooster/crowing at the top of its lungs, salamander/slipping into the moss, sparrow/bathing in dust,
        spider/spinning a web, starling/whistling, stork/building a nest, swallow/swooping low, swan/drifting on the water,
        tadpole/wiggling its tail, thrush/cracking a snail shell, toad/blinking slowly, tortoise/plodding along,
        turkey/gobbling, turtle/resting on a log, vole/dashing into its hole, wasp/visiting a plum, woodpecker/drumming on a trunk,
        wren/carrying a twig
    """,
    "tree": """
        oak, apple, pine, maple, cherry, willow, birch, pear, chestnut, elm, fir, beech, walnut, ash, plum, cedar, alder, aspen,
        cypress, fig, hazel, hawthorn, juniper, larch, lemon, linden, magnolia, mulberry, olive, poplar, redwood, rowan, spruce,
        sycamore, yew
    """,
    "shelter": """
        barn, cave, porch, shed, hollow tree, tent, gazebo, bus stop, old hut, big tree, bridge, stable, train station, archway,
        balcony, tunnel, greenhouse, haystack, market stall, wagon
    """,
    "drink": """
        cocoa, milk, tea, soup, hot chocolate, cider, broth, warm milk, chicken soup, tomato soup, mint tea, honey tea,
        apple juice, porridge, pumpkin soup, ginger tea, chamomile tea, lentil soup
    """,
    "snack": """
        apple, sandwich, cookie, muffin, banana, pear, bun, carrot, pancake, peach, cupcake, orange, plum, pretzel, waffle, bagel,
        biscuit, bread roll, brownie, burrito, cheese stick, cinnamon roll, corn muffin, cracker, croissant, cucumber, doughnut,
        dumpling, fig, flapjack, granola bar, meatball, melon, mango, nectarine, oatcake, omelet, papaya, pastry, pizza, pomegranate,
        potato cake, quiche, raisin bun, rice cake, sausage roll, scone, sweet potato, taco, tangerine, tart, turnover, wrap
    """,
    "food": """
        pizza, soup, bread, cheese, honey, rice, noodles, jam, yogurt, spaghetti, pie, ice cream, corn, popcorn, salad, strawberries,
        almonds, applesauce, artichokes, asparagus, avocado, beans, beets, blueberries, broccoli, cabbage, cashews, cauliflower,
        celery, cereal, cherries, coconut, cornbread, cranberries, custard, dates, eggplant, eggs, garlic bread, gingerbread,
        gooseberries, granola, grapefruit, grapes, gravy, guava, hazelnuts, jelly, kale, kiwi, lasagna, leeks, lentils, lettuce,
        lychee, macaroni, marmalade, mashed potatoes, mushrooms, nuts, oatmeal, onions, parsnips, pasta, peanut butter, peas,
        peppers, pickles, pineapple, pistachios, plums, porridge, pudding, pumpkin pie, radishes, raspberries, ravioli, rhubarb, sorbet,
        spinach, squash, stew, sunflower seeds, syrup, toast, tofu, tomatoes, turnips, watermelon, yams, zucchini
    """,
    "sweet": """
        cookies, candies, cupcakes, jelly beans, lollipops, chocolates, gumdrops, doughnuts, caramels, marshmallows, brownies,
        fruit tarts, ginger snaps, honey cakes, licorice sticks, macaroons, meringues, mints, peppermints, popsicles, pralines,
        sugar plums, taffies, toffees, truffles, wafers
    """,
    "grocery": """
        a loaf of bread, a bottle of milk, a bag of apples, a jar of honey, a dozen eggs, a bag of flour, a pound of butter, a box of tea,
        a bunch of bananas, a block of cheese, a head of lettuce, a sack of potatoes, a bag of rice, a jar of jam, a basket of berries,
        a bar of soap, a bag of sugar, a bottle of vinegar, a bouquet of tulips, a box of matches, a box of raisins, a bundle of carrots,
        a can of beans, a carton of cream, a clove of garlic, a cluster of grapes, a cup of yogurt, a fresh cucumber,
        a handful of parsley, a jar of mustard, a packet of seeds, a pair of scissors, a piece of ham, a pinch of saffron, a pint of cider,
        a pot of basil, a punnet of raspberries, a ripe melon, a roll of string, a roll of tape, a slice of pumpkin, a spool of thread,
        a stick of cinnamon, a string of sausages, a tin of paint, a tin of sardines, a tube of toothpaste, a wheel of cheddar,
        two lemons, three onions, four peaches, five tomatoes, six oranges, seven turnips
    """,
    "bake": """
        cake, apple pie, bread, chocolate cake, carrot cake, cherry pie, lemon cake, banana bread, gingerbread, honey cake, plum cake,
        pumpkin pie, pizza, strawberry tart, blueberry pie, almond cake, angel cake, apricot tart, blackberry pie, cheesecake,
        cherry strudel, coconut cake, coffee cake, cornbread, crumble, fig tart, fruitcake, hazelnut cake, marble cake, nut bread,
        onion tart, orange cake, peach cobbler, pear tart, pecan pie, poppy seed cake, raisin bread, raspberry tart, rhubarb pie,
        shortbread, sponge cake, spice cake, vanilla cake, walnut cake, zucchini bread
    """,
    "missing": "sugar, flour, butter, milk, honey, cinnamon, cream, baking powder, yeast, salt, cocoa, vanilla, nutmeg, oil",
    "game": """
        tag, hide and seek, hopscotch, catch, marbles, checkers, soccer, leapfrog, chess, cards, dominoes, badminton, baseball,
        basketball, bowling, charades, cricket, croquet, darts, dodgeball, frisbee, golf, handball, hockey, kickball, ludo, pirates,
        ping-pong, rugby, skittles, superheroes, tennis, tic-tac-toe, tug-of-war, volleyball
    """,
    "building": """
        fort, tower, sandcastle, treehouse, castle, house, birdhouse, bridge, tent, igloo, boat, dam, den, dollhouse, garage, kennel,
        labyrinth, maze, palace, pyramid, raft, rocket, spaceship, stage, teepee, train track, wigwam, windmill
    """,
    "turns": """
        swing, ball, scooter, sled, drum, wagon, kite, puzzle, toy train, bike, trampoline, rocking horse, toy boat, hula hoop, pogo stick,
        seesaw, skateboard, slingshot, telescope, toy crane, toy piano, toy truck, tricycle, unicycle, xylophone, yo-yo
    """,
    "present": """
        ball, book, kite, doll, toy train, drum, puzzle, paint set, scarf, teddy bear, music box, wagon, hat, lantern, robot, globe, guitar,
        abacus, accordion, album, atlas, aquarium, banjo, bike, camera, canoe, compass, costume, crown, easel, fishing rod,
        flashlight, hammock, helmet, jigsaw, journal, kaleidoscope, keyboard, kimono, loom, magnet set, magic wand, microscope,
        model airplane, necklace, paper lantern, piggy bank, pinwheel, planner, puppet theater, quilt, radio, sewing kit, skateboard,
        sketchbook, sled, snow globe, stopwatch, suitcase, teapot, telescope, terrarium, toolbox, toy castle, toy dinosaur, trumpet,
        tutu, typewriter, ukulele, umbrella, violin, volleyball, wind-up mouse, wristwatch
    """,
    "flavor": """
        chocolate, vanilla, strawberry, lemon, carrot, banana, honey, cherry, apple, blueberry, caramel, almond, apricot, butterscotch,
        coconut, ginger, hazelnut, maple, orange, peach, pecan, peppermint, pineapple, raspberry, walnut
    """,
    "topic": """
        animals, stars, pirates, dinosaurs, space, ships, dragons, trains, flowers, bugs, knights, whales, airplanes, bridges, castles,
        caves, clocks, colors, comets, computers, cowboys, deserts, detectives, earthquakes, elves, engines, explorers, fairies,
        forests, genies, ghosts, giants, glaciers, gravity, heroes, hurricanes, icebergs, insects, inventions, inventors, jungles,
        kangaroos, kings and queens, lightning, magic, magnets, mammals, mermaids, meteors, monsters, mountains, mummies, music,
        numbers, oceans, oysters, painters, planets, pyramids, queens, rainbows, reptiles, robots, rockets, sailing, samurai,
        satellites, sharks, shipwrecks, submarines, tornadoes, trolls, unicorns, vikings, volcanoes, waterfalls, weather, witches,
        wizards, zeppelins
    """,
    "shape": """
        dragon, castle, sheep, rabbit, ship, whale, elephant, bear, heart, horse, dog, fish, cake, crown, unicorn, airplane, turtle, alligator,
        anchor, angel, arrow, balloon, banana, bathtub, boot, broomstick, bus, cactus, camel, canoe, carriage, cauliflower, chair, chimney,
        cow, crab, cradle, crocodile, dinosaur, dolphin, donkey, drum, duck, eagle, feather, flamingo, flower, flute, ghost, giant, giraffe,
        goblin, goose, guitar, hammer, hat, helicopter, hippo, ice cream cone, igloo, island, jellyfish, kettle, king, kite, ladder, lion,
        lobster, locomotive, mermaid, mitten, monkey, moon, moose, mountain, mouse, mushroom, octopus, ostrich, owl, palace, parrot,
        pear, penguin, piano, pig, pirate, pillow, pumpkin, queen, rhino, robot, rocket, rocking horse, rooster, saddle, sailboat, scarecrow,
        seahorse, shark, shoe, skateboard, sleigh, slipper, snail, snowman, spoon, star, starfish, steamboat, submarine, swan, sword, teapot,
        tiger, tractor, trumpet, umbrella, vase, violin, volcano, walrus, wand, whistle, windmill, wizard, yacht, zebra
    """,
    "flower": """
        rose, daisy, tulip, sunflower, lily, violet, poppy, daffodil, dandelion, bluebell, buttercup, marigold, orchid, pansy, peony,
        primrose, snowdrop, lavender, lilac, iris, amaryllis, anemone, aster, azalea, begonia, camellia, carnation, chrysanthemum,
        clover, columbine, cornflower, cowslip, crocus, cyclamen, dahlia, forget-me-not, foxglove, freesia, fuchsia, gardenia,
        geranium, gladiolus, harebell, hibiscus, hollyhock, honeysuckle, hyacinth, hydrangea, jasmine, jonquil, larkspur, lupine,
        magnolia, mallow, morning glory, narcissus, nasturtium, periwinkle, petunia, phlox, snapdragon, sweet pea, thistle, water lily,
        wallflower, zinnia
    """,
    "crop": """
        sunflower, bean, pumpkin, tomato, carrot, strawberry, pea, melon, rose, apple, corn, cucumber, pepper, radish, potato, beet, bluebell,
        cabbage, cherry, cauliflower, daisy, eggplant, fig, gourd, grape, leek, lemon, lettuce, lupine, marigold, onion, parsnip, peach,
        pear, plum, poppy, spinach, squash, tulip, turnip, violet, watermelon, zinnia, zucchini
    """,
    "bird": """
        robin, sparrow, bluebird, swallow, owl, blackbird, dove, finch, wren, pigeon, canary, crow, lark, goldfinch, magpie, thrush, bullfinch,
        bunting, cardinal, chickadee, cuckoo, duckling, egret, falcon, flycatcher, goshawk, gosling, grouse, gull, hawk, hummingbird,
        jackdaw, jay, kestrel, kingfisher, linnet, martin, nightingale, nuthatch, oriole, parakeet, parrot, petrel, pipit, plover, puffin,
        raven, sandpiper, siskin, snipe, starling, swift, tern, warbler, waxwing, woodpecker
    """,
    "zoo": """
        lion, monkey, elephant, giraffe, tiger, zebra, bear, penguin, parrot, snake, camel, seal, panda, kangaroo, hippo, crocodile, aardvark,
        alpaca, anteater, antelope, armadillo, baboon, bison, boa, bobcat, buffalo, capybara, caribou, chameleon, cheetah, chimpanzee,
        chinchilla, cobra, condor, cougar, coyote, emu, flamingo, gazelle, gecko, gibbon, gorilla, hyena, ibex, ibis, iguana, impala,
        jackal, jaguar, koala, lemur, leopard, llama, lynx, macaw, mandrill, marmot, meerkat, mongoose, okapi, opossum, orangutan, ostrich,
        panther, peacock, platypus, polar bear, porcupine, puma, python, rattlesnake, reindeer, rhinoceros, sloth, skunk, tapir, tarantula,
        toucan, viper, vulture, wallaby, walrus, warthog, wildebeest, wolverine, wombat, yak
    """,
    "sea": """
        whale, dolphin, shark, octopus, starfish, crab, seahorse, jellyfish, turtle, seal, lobster, eel, angelfish, anemone, barracuda,
        carp, catfish, clam, clownfish, cod, flounder, halibut, herring, mackerel, manatee, manta ray, marlin, minnow, mussel, narwhal,
        orca, oyster, perch, pike, piranha, porpoise, pufferfish, salmon, sardine, sea lion, sea urchin, shrimp, snapper, squid, stingray,
        sturgeon, swordfish, trout, tuna, walrus
    """,
    "museum": """
        mummy, sword, crown, dinosaur bone, suit of armor, painting, statue, golden cup, vase, old clock, steam engine, fossil, meteorite,
        anchor, abacus, arrowhead, cannon, catapult, chariot, coin, compass, crystal ball, drawbridge, dugout canoe, emerald, fan, fresco,
        gladiator, globe, harpsichord, helmet, jade dragon, lantern, mammoth tusk, mask, mosaic, musket, parchment, pharaoh, portrait,
        quill, saber, scroll, sextant, shield, skeleton, spinning wheel, stagecoach, tapestry, telegraph, throne, tiara, totem pole, urn
    """,
    "instrument": """
        piano, flute, drum, violin, guitar, trumpet, harp, banjo, recorder, harmonica, accordion, bagpipes, bassoon, bugle, castanets,
        cello, clarinet, cymbals, double bass, fiddle, glockenspiel, gong, horn, lute, mandolin, maracas, oboe, organ, piccolo, saxophone,
        sitar, tambourine, triangle, trombone, tuba, ukulele, viola, xylophone, zither
    """,
    "prize": """
        ribbon, medal, trophy, pie, cake, blue ribbon, golden cup, basket of apples, jar of honey, balloon, badge, book, bouquet, certificate,
        crown, garland, pennant, rosette, silver bell, toy boat
    """,
    "monster": """
        monster, bear, dragon, giant, ghost, wolf, witch, troll, snake, goblin, ogre, spider, robber, dinosaur, beast, bogeyman, crocodile,
        gargoyle, gnome, gremlin, griffin, imp, mummy, octopus, phantom, pirate, scarecrow, serpent, skeleton, vampire, vulture, werewolf, yeti
    """,
    "cause": """
        a coat on a hook, a pile of clothes, a chair with a sweater on it, the curtain, a hat on the bedpost, a tree outside, a robe on the door,
        a broom in the corner, a stack of books, a toy on the shelf, a basket of laundry, a lampshade, a plant on the windowsill, a rolled-up rug,
        an umbrella, a guitar by the wall, a balloon from the party, a blanket on the floor, a kite hanging from the ceiling, a mop in a bucket,
        a pair of pajamas, a rocking chair, a scarf on a peg, a suitcase, a tent pole, a tower of blocks, a wicker basket, a winter jacket
    """,
    "light": "night-light, lamp, lantern, flashlight, paper lantern, glow stick, string of lights, star lamp, moon lamp",
    "noise source": """
        tap-tap-tap/a branch at the window, drip-drop/the leaky faucet, squeak/a tiny mouse in the pantry, creak/the old gate in the wind, thump/an apple falling on the roof,
        scratch/a hedgehog at the back door, whoosh/the wind in the chimney, clang/a raccoon by the trash can, click/the clock in the hall,
        flap/a loose shutter, groan/the floorboards, hoot/an owl on the fence, hum/the refrigerator, jingle/the wind chimes on the porch,
        patter/the rain on the tin roof, rattle/a loose window, rumble/thunder far away, rustle/dry leaves on the step, snore/grandpa in his armchair,
        splash/a frog in the fountain, thud/a flowerpot that fell over, whistle/the kettle on the stove, yowl/a stray cat in the alley,
        gurgle/the water pipes, bong/the grandfather clock, chirp/a cricket behind the stove
    """,
    # problems with their causes and cures
    "toy part cure": """
        toy car/wheel/glue, doll/arm/a needle and thread, teddy bear/ear/a needle and thread, kite/tail/tape, toy boat/sail/a scrap of cloth,
        toy train/wheel/a tiny screw, wagon/handle/a nail, puppet/string/a new string, drum/strap/strong tape, toy horse/leg/glue,
        toy plane/wing/glue, robot/arm/a new screw, toy rabbit/nose/a black button, dollhouse/door/a new hinge, music box/lid/a small hinge,
        rocking horse/saddle/strong thread, toy truck/bumper/glue, birdhouse/roof/nails and a hammer, sled/runner/a bolt, scooter/bell/wire,
        toy crane/hook/a piece of wire, toy castle/drawbridge/a chain, toy elephant/trunk/yarn, pinwheel/stick/a new stick, clown/hat/felt and paste,
        toy lion/mane/brown wool, jack-in-the-box/spring/pliers, toy giraffe/neck/glue and a splint, windmill/blade/a dab of glue,
        submarine/propeller/a rubber band
    """,
    "breakable": """
        vase, plate, lamp, cup, teapot, bowl, mirror, flowerpot, jar, clock, pitcher, glass, picture frame, snow globe, sugar bowl, mug,
        aquarium, china dog, crystal bell, figurine, fishbowl, fruit bowl, goblet, gravy boat, jug, lantern, music box, platter, saucer,
        statuette, tureen, urn
    """,
    "surface": "table, shelf, cabinet, dresser, desk, piano, bookcase, sideboard, counter, windowsill, mantel, nightstand, tray",
    "romp": """
        playing ball, running, dancing, jumping, spinning, playing pirates, skipping, throwing a pillow, chasing a fly, hopping, playing tag,
        bouncing a ball, galloping, juggling oranges, leaping about, playing soccer, practicing somersaults, rolling a hoop, skating in socks,
        sliding, swinging a stick, twirling, waving a sword, whirling around
    """,
    "skill fail tip deed_done": """
        ride a bike/wobbled and fell over/Look ahead and keep pedaling/rode all the way down the lane,
        swim/swallowed some water/Kick your legs and stay calm/swam across the pond, skate/slipped and landed on the ice/Bend your knees/glided over the ice,
        whistle/made no sound at all/Make your lips round and blow softly/whistled a merry tune, juggle/dropped all the balls/Start with two balls/juggled three balls,
        jump rope/got tangled in the rope/Jump when the rope comes down/jumped twenty times, climb the rope/slid back down/Use your legs too/climbed to the top,
        fly a kite/let the kite crash/Run against the wind/made the kite dance in the sky, tie a bow/made a big knot/Make two loops and cross them/tied a perfect bow,
        row a boat/went around in circles/Pull with both oars together/rowed to the other shore, stand on one leg/tipped over/Look at one spot/stood as still as a heron,
        do a cartwheel/landed in the hay/Keep your legs straight/did three cartwheels in a row, ski/tumbled into the snow/Lean forward a little/skied down the slope,
        paint a rainbow/mixed the colors into mud/Rinse the brush each time/painted all seven stripes, knit/lost every stitch/Count your stitches/knitted a striped scarf,
        catch a ball/missed it again and again/Keep your eyes on the ball/caught ten throws, play the flute/only made it squeak/Blow gently/played a whole song,
        write with a pen/made a blot/Hold it lightly/wrote a neat letter, spin a top/knocked it over/Snap the string quickly/spun it for a whole minute,
        walk on stilts/toppled sideways/Take small steps/marched around the yard, surf/splashed into the waves/Stand up slowly/surfed to the beach,
        throw a boomerang/hit a bush/Throw it high and tilted/caught it as it returned, use chopsticks/dropped every noodle/Relax your grip/finished the whole bowl,
        hula hoop/felt the hoop drop at once/Wiggle in a steady rhythm/kept it turning for an hour, dive/flopped onto the water/Tuck your chin/dived without a splash
    """,
    "victim trap reason tool rescue": """
        kitten/high up in a tree/It had chased a bird and climbed too far/ladder/climbed up and carried it down,
        duckling/in a deep ditch/It had followed a beetle and slipped/basket/scooped it up,
        lamb/in the mud/It had tried to take a shortcut/rope/pulled until it came free,
        hedgehog/in an empty bucket/It had smelled food inside and fallen in/plank/made a ramp for it to walk out,
        butterfly/in a spider web/A gust of wind had blown it there/soft brush/brushed the threads away,
        frog/in a dry well/It had jumped in to look for water/bucket on a string/lifted it up,
        puppy/under a fence/It had tried to dig its way out/shovel/dug the hole wider,
        goat/on a narrow ledge/It had wanted to taste the grass up there/bunch of clover/led it down step by step,
        bee/in a puddle/Its wings had become too wet to fly/leaf/lifted it into the sunshine,
        turtle/on its back/It had rolled down the bank/stick/turned it over gently,
        calf/in a thorny hedge/It had run away from the thunder/pair of clippers/cut the branches one by one,
        squirrel/behind a loose board/It had stuffed its cheeks too full of nuts/hammer/pried the board away,
        crab/in a fishing net/The tide had carried it there/pair of scissors/snipped the net open,
        sparrow/in the chimney/It had looked for a warm place to nest/lantern/lit the way to the open window,
        piglet/between two rocks/It had squeezed in to find an acorn/jar of butter/greased its sides and slid it out,
        mole/in a flowerpot/It had tunneled the wrong way/spoon/dug a little passage,
        foal/in deep snow/It had wandered off during the storm/spade/cleared a path,
        fawn/in a tangle of vines/It had hidden there from the barking hounds/pocketknife/cut the vines,
        gosling/on the wrong side of a gate/It had stopped to nibble a daisy/crowbar/lifted the latch,
        beetle/in a drop of sap/It had stopped to taste something sweet/blade of grass/coaxed it loose,
        raccoon/inside a jar/It had wanted the last bit of jam/bar of soap/made its head slippery and wiggled the jar off,
        bat/in a curtain/It had flown in through the window by mistake/towel/wrapped it up and let it go outside,
        snail/in the middle of the road/It had stopped to rest in the sun/cabbage leaf/carried it safely to the other side,
        baby owl/on the ground/It had fallen out of its nest/basket on a rope/hoisted it back to its mother
    """,
    "flier": """
        kite, hat, balloon, paper plane, scarf, umbrella, ribbon, letter, handkerchief, drawing, straw hat, bonnet, flag, pinwheel, map, beach ball,
        feather, poster, parachute
    """,
    "perch": "tree, roof, barn, chimney, flagpole, clock tower, balcony, lamppost, steeple, windmill, scaffold, water tower, statue",
    "ladder_job": "farmer, firefighter, painter, gardener, carpenter, roofer, chimney sweep, window washer, electrician, fruit picker, lighthouse keeper",
    "hideout": """
        behind a tree, under the bed, in the closet, behind the curtain, under the table, inside a barrel, behind a bush, in the hay, under a blanket,
        behind the sofa, in the bathtub, behind the door, behind a boulder, beneath the porch, between two barrels, in a cupboard, in a laundry basket,
        in a wheelbarrow, inside a hollow log, under a pile of leaves, under the staircase, up in the attic
    """,
    "giveaway": """
        sneezed, giggled, hiccuped, coughed, moved, burped, laughed, squeaked, yawned, snored, sniffled, wiggled, snorted, bumped into a bucket, dropped a toy,
        knocked over a broom, rustled, shuffled, whispered a secret, hummed a tune
    """,
    "vessel": """
        boat, ship, balloon, rocket, cloud, train, flying carpet, sailboat, submarine, airship, bubble, canoe, caravan, chariot, coach, ferry, glider,
        gondola, kayak, moonbeam, paper plane, raft, sleigh, spaceship, steamboat, streetcar, teacup, zeppelin
    """,
    "realm": """
        the moon, the stars, a candy island, a land of toys, the bottom of the sea, a castle in the clouds, a land of giants, the rainbow,
        a city of gold, a forest of lollipops, a garden of talking flowers, a glass mountain, a kingdom of mice, a land of dragons, a land of fairies,
        a palace of ice, a planet of robots, a pirate cove, a river of lemonade, a secret valley, Mars, Saturn, the end of the rainbow, the North Pole, the Milky Way
    """,
    "royal": """
        king, queen, fairy, giant, wizard, prince, princess, mermaid, dragon, talking bear, unicorn, pirate captain, clown, elf, emperor, genie,
        gnome, goblin, knight, leprechaun, magician, mouse queen, pixie, robot, sphinx, star child, talking fish, troll, white stag
    """,
    "gift": """
        golden key, shiny star, silver bell, magic feather, pearl, tiny crown, blue stone, golden coin, amulet, candle that never went out, compass,
        crystal, diamond, emerald, glowing pebble, golden apple, jewel, lucky charm, moonstone, opal, pocket rainbow, rose of glass, ruby, sapphire,
        silver thimble, shell, sparkling ring, wishing stone, wooden flute
    """,
    "supper": "pancakes, soup, noodles, pizza, spaghetti, toast, stew, waffles, omelets, dumplings, meatballs, porridge, rice, fritters, casserole, curry",
    "helper": "owl, rabbit, deer, squirrel, hedgehog, fox, badger, robin, toad, crow, firefly, heron, magpie, mole, moth, otter, raven, stag, tortoise",
    "lure": "butterfly, dragonfly, rabbit, bluebird, squirrel, ladybug, frog, grasshopper, floating feather, chipmunk, hummingbird, lizard, moth, quail",
    "trail": """
        stream, path, row of white stones, fence, road, river, sound of the bells, smell of the chimney smoke, line of lanterns, brook, railroad track,
        row of poplars, footprints, light of the windows
    """,
    "chilly": "scarf, coat, blanket, sweater, hat, jacket, shawl, cloak, cape, quilt, hood, poncho, parka, muffler, cardigan, pair of mittens, pair of earmuffs",
    "weekday": "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
    "season": "summer, spring, autumn, winter",
    "month": "May, June, April, July, March, August, September, October, November, December, January, February",
    "adverb": """
        happily, quickly, softly, gently, slowly, kindly, carefully, quietly, cheerfully, eagerly, proudly, gladly, warmly, brightly, calmly, bravely, sweetly,
        merrily, playfully, politely, joyfully, excitedly, patiently, thoughtfully, tenderly, honestly, earnestly, firmly, hopefully, lovingly
    """,
}

package sim

// city is a real German city: stores stand in the biggest, shoppers live in all.
type city struct {
	name, region, postal string // ISO 3166-2 code without DE-; a postal code of the centre
	lat, long            float64
	thousands            float64 // inhabitants, about 2023
}

// cities go from big to small.
var cities = []city{
	{"Berlin", "BE", "10115", 52.520, 13.405, 3700}, {"Hamburg", "HH", "20095", 53.551, 9.994, 1890},
	{"München", "BY", "80331", 48.137, 11.575, 1510}, {"Köln", "NW", "50667", 50.938, 6.960, 1080},
	{"Frankfurt am Main", "HE", "60311", 50.110, 8.682, 773}, {"Stuttgart", "BW", "70173", 48.776, 9.183, 632},
	{"Düsseldorf", "NW", "40213", 51.226, 6.774, 629}, {"Leipzig", "SN", "04109", 51.340, 12.375, 616},
	{"Dortmund", "NW", "44135", 51.514, 7.465, 593}, {"Essen", "NW", "45127", 51.456, 7.012, 584},
	{"Bremen", "HB", "28195", 53.079, 8.802, 569}, {"Dresden", "SN", "01067", 51.050, 13.737, 563},
	{"Hannover", "NI", "30159", 52.376, 9.732, 545}, {"Nürnberg", "BY", "90402", 49.452, 11.077, 523},
	{"Duisburg", "NW", "47051", 51.435, 6.762, 502}, {"Bochum", "NW", "44787", 51.482, 7.216, 365},
	{"Wuppertal", "NW", "42103", 51.257, 7.150, 358}, {"Bielefeld", "NW", "33602", 52.021, 8.535, 338},
	{"Bonn", "NW", "53111", 50.735, 7.100, 336}, {"Münster", "NW", "48143", 51.962, 7.626, 320},
	{"Mannheim", "BW", "68159", 49.488, 8.466, 315}, {"Karlsruhe", "BW", "76133", 49.009, 8.404, 309},
	{"Augsburg", "BY", "86150", 48.370, 10.898, 301}, {"Wiesbaden", "HE", "65183", 50.082, 8.240, 283},
	{"Mönchengladbach", "NW", "41061", 51.195, 6.442, 268}, {"Gelsenkirchen", "NW", "45879", 51.511, 7.096, 263},
	{"Aachen", "NW", "52062", 50.776, 6.084, 252}, {"Braunschweig", "NI", "38100", 52.269, 10.527, 251},
	{"Chemnitz", "SN", "09111", 50.833, 12.917, 248}, {"Kiel", "SH", "24103", 54.323, 10.135, 247},
	{"Halle (Saale)", "ST", "06108", 51.482, 11.970, 242}, {"Magdeburg", "ST", "39104", 52.131, 11.640, 240},
	{"Freiburg im Breisgau", "BW", "79098", 47.996, 7.849, 236}, {"Krefeld", "NW", "47798", 51.339, 6.586, 228},
	{"Mainz", "RP", "55116", 49.999, 8.273, 222}, {"Lübeck", "SH", "23552", 53.869, 10.687, 219},
	{"Erfurt", "TH", "99084", 50.978, 11.029, 215}, {"Oberhausen", "NW", "46045", 51.470, 6.852, 211},
	{"Rostock", "MV", "18055", 54.089, 12.141, 209}, {"Kassel", "HE", "34117", 51.316, 9.498, 204},
	{"Hagen", "NW", "58095", 51.360, 7.474, 190}, {"Potsdam", "BB", "14467", 52.399, 13.066, 187},
	{"Saarbrücken", "SL", "66111", 49.234, 6.997, 183}, {"Hamm", "NW", "59065", 51.681, 7.818, 180},
	{"Ludwigshafen", "RP", "67059", 49.477, 8.445, 176}, {"Oldenburg", "NI", "26122", 53.141, 8.214, 174},
	{"Osnabrück", "NI", "49074", 52.279, 8.047, 168}, {"Leverkusen", "NW", "51373", 51.033, 6.984, 166},
	{"Darmstadt", "HE", "64283", 49.873, 8.651, 164}, {"Heidelberg", "BW", "69117", 49.411, 8.706, 162},
	{"Solingen", "NW", "42651", 51.172, 7.084, 160}, {"Regensburg", "BY", "93047", 49.017, 12.097, 157},
	{"Paderborn", "NW", "33098", 51.719, 8.757, 155}, {"Ingolstadt", "BY", "85049", 48.763, 11.425, 142},
	{"Würzburg", "BY", "97070", 49.794, 9.932, 128}, {"Ulm", "BW", "89073", 48.402, 9.988, 128},
	{"Heilbronn", "BW", "74072", 49.142, 9.220, 130}, {"Göttingen", "NI", "37073", 51.534, 9.935, 118},
	{"Koblenz", "RP", "56068", 50.357, 7.594, 115}, {"Jena", "TH", "07743", 50.927, 11.587, 111},
	{"Trier", "RP", "54290", 49.757, 6.641, 112}, {"Cottbus", "BB", "03046", 51.761, 14.335, 98},
	{"Schwerin", "MV", "19053", 53.629, 11.415, 98}, {"Konstanz", "BW", "78462", 47.660, 9.175, 85},
	{"Flensburg", "SH", "24937", 54.783, 9.434, 92}, {"Passau", "BY", "94032", 48.573, 13.461, 53},
	{"Görlitz", "SN", "02826", 51.152, 14.987, 56}, {"Stralsund", "MV", "18439", 54.309, 13.082, 59},
}

// Words that make shoppers. The people are invented.
var (
	firstNames = []string{
		"Anna", "Ben", "Clara", "David", "Emilia", "Felix", "Greta", "Hannes", "Ida", "Jonas", "Katharina", "Leon",
		"Mia", "Noah", "Olga", "Paul", "Ronja", "Samuel", "Theresa", "Ulrich", "Valerie", "Yasemin", "Aylin", "Mehmet",
		"Sofia", "Lukas", "Marie", "Elias", "Frieda", "Anton", "Nele", "Oskar", "Lea", "Finn", "Johanna", "Moritz",
	}
	lastNames = []string{
		"Albrecht", "Bauer", "Brandt", "Dietrich", "Engel", "Fischer", "Graf", "Hoffmann", "Jansen", "Kaiser", "Keller",
		"Koch", "Kowalski", "Lehmann", "Lorenz", "Maier", "Neumann", "Otto", "Peters", "Richter", "Sauer", "Schäfer",
		"Schmidt", "Seidel", "Stein", "Vogel", "Wagner", "Weber", "Winkler", "Yılmaz", "Ziegler", "Öztürk", "Nguyen",
	}
	streets = []string{
		"Hauptstraße", "Bahnhofstraße", "Gartenweg", "Schillerstraße", "Lindenallee", "Bergstraße", "Goethestraße",
		"Am Markt", "Mühlenweg", "Kirchgasse", "Rosenweg", "Friedrichstraße", "Parkstraße", "Ringstraße", "Waldweg",
	}
	storeStreets = []string{"Marktplatz", "Königstraße", "Hohe Straße", "Bahnhofsplatz", "Große Straße", "Breite Straße"}
)

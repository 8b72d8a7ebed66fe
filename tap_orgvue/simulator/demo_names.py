"""The words that the demo tenant is made of: first and last names, places, departments."""

FIRST_NAMES = (  # noqa: SIM905  # so many words read best as words
    "Ada Aisha Akira Alba Amara Andrzej Anna Arjun Ben Björn Carla Chen Chloé Clara Daniel Deniz "
    "Diego Elena Emma Erik Fatima Felix Femi Grace Hana Hugo Ines Ivan Jamal Jana Jonas José "
    "Karim Kofi Lars Layla Leah Lucía Maja Marco Mei Mia Milan Nadia Nia Noah Olga Omar Priya "
    "Ravi Rosa Sam Sara Sofia Søren Tariq Tom Uma Vera Wei Yara Yuki Zainab Zoë"
).split()
LAST_NAMES = (  # noqa: SIM905  # likewise
    "Adeyemi Ali Andersson Bauer Berg Brown Chen Clarke Cohen Costa Diaz Dubois Evans Fischer "
    "Garcia Green Haddad Hansen Ivanova Jansen Johnson Kaya Khan Kim Kowalski Kumar Larsen Lee "
    "Lopez Martin Mensah Meyer Moreau Müller Nakamura Nguyen Novak O'Brien Okafor Park Patel "
    "Petrov Quinn Ricci Rossi Santos Sato Schmidt Silva Singh Smith Tanaka Taylor Weber Williams "
    "Wójcik Yilmaz Zhang"
).split()
LOCATIONS = ("London", "Leeds", "Berlin", "München", "Zürich", "Paris", "New York", "Sydney")
DEPARTMENTS = {
    "Finance": ("Accountant", "Controller", "Payroll Specialist"),
    "Human Resources": ("HR Partner", "Recruiter", "Workforce Planner"),
    "Operations": ("Logistics Planner", "Plant Technician", "Shift Lead"),
    "Sales": ("Account Manager", "Sales Engineer", "Sales Representative"),
    "Technology": ("Data Engineer", "Developer", "Support Engineer"),
    "Legal & Compliance": ("Compliance Officer", "Counsel", "Paralegal"),
}
